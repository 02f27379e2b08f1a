import { cropAt, type RgbImage, resize } from "../../processing/image/index.ts";

/** Side of the small picture that an image is compared by. */
export const pictureSide = 64;

/** An image as 64×64 RGB bytes, without borders of one colour: all that its likeness to others is told from. */
export const pictureOf = (image: RgbImage): Uint8Array =>
  Uint8Array.from(resize(withoutBorders(image), pictureSide, pictureSide, "box").data);

/** How far colours of a border may be apart that was saved as JPEG. */
const mostSpread = 16;

/** Without rows and columns of one colour around it, which padding to a square leaves. */
function withoutBorders(image: RgbImage): RgbImage {
  const { width, height, data } = image;
  const isPlain = (line: "row" | "column", at: number): boolean => {
    const [length, start, step] = line === "row" ? [width, 3 * at * width, 3] : [height, 3 * at, 3 * width];
    for (let index = 1; index < length; index++)
      for (let channel = 0; channel < 3; channel++)
        if (Math.abs(data[start + index * step + channel]! - data[start + channel]!) > mostSpread)
          return false;
    return true;
  };
  let [top, bottom, left, right] = [0, height, 0, width];
  while (top < bottom - 1 && isPlain("row", top)) top++;
  while (bottom > top + 1 && isPlain("row", bottom - 1)) bottom--;
  while (left < right - 1 && isPlain("column", left)) left++;
  while (right > left + 1 && isPlain("column", right - 1)) right--;
  // What is plain nearly everywhere is a drawing on paper, and not a border.
  if ((bottom - top) * (right - left) < (width * height) / 8) return image;
  return cropAt(image, { left, top, width: right - left, height: bottom - top });
}

/** Seen in a mirror. */
export function mirrored(picture: Uint8Array): Uint8Array {
  const turned = new Uint8Array(picture.length);
  for (let y = 0; y < pictureSide; y++)
    for (let x = 0; x < pictureSide; x++) {
      const from = 3 * (y * pictureSide + pictureSide - 1 - x);
      turned.set(picture.subarray(from, from + 3), 3 * (y * pictureSide + x));
    }
  return turned;
}

export const greyOf = (picture: Uint8Array): Float32Array =>
  Float32Array.from(
    { length: picture.length / 3 },
    (_, at) => 0.299 * picture[3 * at]! + 0.587 * picture[3 * at + 1]! + 0.114 * picture[3 * at + 2]!,
  );
