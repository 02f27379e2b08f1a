import sharp from "sharp";
import { decodeImage } from "./decode.ts";
import { readDirectory, tags } from "./exif.ts";
import { readJpegHeader } from "./jpeg-header.ts";
import { lateMetadata } from "./png.ts";

/** Whether an image file tells where it was taken, in EXIF data or XMP. */
export async function tellsPlace(bytes: Uint8Array): Promise<boolean> {
  const { exif, xmp } = await sharp(bytes, { limitInputPixels: false, failOn: "none" })
    .metadata()
    .catch(() => ({ exif: undefined, xmp: undefined }));
  const isPng = bytes[0] === 0x89;
  const late = isPng ? lateMetadata(bytes) : {};
  return (
    [exif, late.exif].some((data) => data !== undefined && hasPlace(data)) ||
    [xmp, late.xmp].some(
      (text) => text !== undefined && /GPSL(at|ong)itude/.test(Buffer.from(text).toString("latin1")),
    )
  );
}

function hasPlace(exif: Uint8Array): boolean {
  const isMarked = Buffer.from(exif.subarray(0, 6)).toString("latin1") === "Exif\0\0";
  return readDirectory(isMarked ? exif.subarray(6) : exif)?.has(tags.place) ?? false;
}

/** An image file of which nothing is left but its pixels, upright. */
export interface BareImage {
  readonly bytes: Uint8Array;
  readonly suffix: ".jpg" | ".png";
}

/**
 * An image without all that its file tells beside the pixels: EXIF data, places, names, comments, previews and colour
 * profiles, which no model here looks at. The pixels of a JPEG file that lies upright stay as they are encoded; others are turned and
 * encoded anew. @throws LlavaError "image" for one that cannot be decoded
 */
export async function withoutMetadata(bytes: Uint8Array, where: string): Promise<BareImage> {
  const header = readJpegHeader(bytes);
  if (header?.isUpright && header.components !== 4) return { bytes: bareJpeg(bytes), suffix: ".jpg" };
  const { width, height, data } = await decodeImage(bytes, { where });
  const pixels = sharp(data, { raw: { width, height, channels: 3 }, limitInputPixels: false });
  if (header === undefined) return { bytes: await pixels.png().toBuffer(), suffix: ".png" };
  return { bytes: await pixels.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(), suffix: ".jpg" };
}

/** Of the applications' segments a decoder needs JFIF's and Adobe's alone. */
const needed = new Set([0xe0, 0xee]);
const isTold = (marker: number): boolean => (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe;

function bareJpeg(bytes: Uint8Array): Uint8Array {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const pieces = [file.subarray(0, 2)];
  let at = 2;
  for (let marker = file[at + 1]!; marker !== 0xda; marker = file[at + 1]!) {
    const end = at + 2 + file.readUInt16BE(at + 2);
    if (!isTold(marker) || needed.has(marker)) pieces.push(file.subarray(at, end));
    at = end;
  }
  // Behind the end of the pixels some cameras hide other images.
  const end = file.indexOf(Uint8Array.of(0xff, 0xd9), at);
  pieces.push(file.subarray(at, end < 0 ? undefined : end + 2));
  return Buffer.concat(pieces);
}
