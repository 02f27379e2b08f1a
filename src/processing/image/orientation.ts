import type { Metadata } from "sharp";
import { readDirectory, tags } from "./exif.ts";
import type { Pixels } from "./pixels.ts";

/** What files say of themselves beside their pixels. */
export interface ImageMetadata extends Pick<Metadata, "comments"> {
  readonly exif?: Uint8Array | undefined;
  readonly xmp?: Uint8Array | undefined;
}

/**
 * How an image lies, as Pillow's `exif_transpose` finds it: 1 to 8 of EXIF's tag; from XMP where EXIF has none; in PNG, EXIF
 * also from the text "Raw profile type exif" that ImageMagick writes. Other values mean upright.
 */
export function orientationOf({ exif, xmp, comments }: ImageMetadata): number {
  const raw = comments?.find(({ keyword }) => keyword === "Raw profile type exif")?.text;
  const own = exifOrientation(exif ?? (raw === undefined ? undefined : profileBytes(raw)));
  return own ?? (xmp === undefined ? 1 : xmpOrientation(xmp));
}

/** undefined without the tag. */
export function exifOrientation(exif: Uint8Array | undefined): number | undefined {
  if (exif === undefined) return undefined;
  const isMarked = Buffer.from(exif.subarray(0, 6)).toString("latin1") === "Exif\0\0";
  return readDirectory(isMarked ? exif.subarray(6) : exif)?.get(tags.orientation)?.values[0];
}

export function xmpOrientation(xmp: Uint8Array): number {
  const found = /tiff:Orientation(?:="|>)([0-9])/.exec(Buffer.from(xmp).toString("latin1"));
  return found ? Number(found[1]) : 1;
}

/** Hexadecimal lines after the profile's name and length. */
const profileBytes = (text: string): Uint8Array => Buffer.from(text.split("\n").slice(3).join(""), "hex");

/** For each orientation, whether rows and columns change places, and which then run backwards. */
const turns: Readonly<Record<number, readonly [transposed: boolean, flipX: boolean, flipY: boolean]>> = {
  2: [false, true, false],
  3: [false, true, true],
  4: [false, false, true],
  5: [true, false, false],
  6: [true, true, false],
  7: [true, true, true],
  8: [true, false, true],
};

/** The pixels of an image upright that lies as `orientation` says. */
export function turnUpright(pixels: Pixels, orientation: number): Pixels {
  const turn = turns[orientation];
  if (turn === undefined) return pixels;
  const [transposed, flipX, flipY] = turn;
  const { channels, data } = pixels;
  const [width, height] = transposed ? [pixels.height, pixels.width] : [pixels.width, pixels.height];
  const out = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < height; y++)
    for (let x = 0; x < width; x++, to += channels) {
      const [across, down] = [flipX ? width - 1 - x : x, flipY ? height - 1 - y : y];
      const from = (transposed ? across * pixels.width + down : down * pixels.width + across) * channels;
      for (let channel = 0; channel < channels; channel++) out[to + channel] = data[from + channel]!;
    }
  return { width, height, channels, data: out };
}
