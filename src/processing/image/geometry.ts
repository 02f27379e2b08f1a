import { type Colour, createImage, type Rectangle, type RgbImage } from "./rgb.ts";

/** int(mean · 255) of CLIP's channel means. */
export const CLIP_MEAN_COLOUR: Colour = [122, 116, 104];

/** Copies a rectangle out of the image; what lies outside of it is black. */
export function cropAt(image: RgbImage, { left, top, width, height }: Rectangle): RgbImage {
  if (left === 0 && top === 0 && width === image.width && height === image.height) return image;
  return paste(image, createImage(width, height), -left, -top);
}

/**
 * The middle `width`×`height` of an image of the given size. A side shorter than the crop is centred in it,
 * an odd pixel going before it (as NumPy's center_crop in transformers; torchvision puts it after).
 */
export function centerRectangle(
  image: { width: number; height: number },
  width: number,
  height: number,
): Rectangle {
  return {
    left: Math.floor((image.width - width) / 2),
    top: Math.floor((image.height - height) / 2),
    width,
    height,
  };
}

/** Puts the image in the middle of a square of its longer side: LLaVA-1.5's `image_aspect_ratio: "pad"`. */
export function padToSquare(image: RgbImage, colour: Colour = CLIP_MEAN_COLOUR): RgbImage {
  const { width, height } = image;
  if (width === height) return image;
  const side = Math.max(width, height);
  const canvas = createImage(side, side, colour);
  return paste(image, canvas, Math.floor((side - width) / 2), Math.floor((side - height) / 2));
}

/** Writes the part of `image` that falls on `canvas` when its corner is at (left, top); returns the canvas. */
export function paste(image: RgbImage, canvas: RgbImage, left: number, top: number): RgbImage {
  const from = Math.max(0, -left);
  const to = Math.min(image.width, canvas.width - left);
  if (to <= from) return canvas;
  const lastRow = Math.min(image.height, canvas.height - top);
  for (let y = Math.max(0, -top); y < lastRow; y++) {
    const row = image.data.subarray((y * image.width + from) * 3, (y * image.width + to) * 3);
    canvas.data.set(row, ((y + top) * canvas.width + left + from) * 3);
  }
  return canvas;
}
