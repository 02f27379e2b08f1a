import type { Pixels } from "./pixels.ts";

/** What luma and chroma (less 128) add to: each in its own rounding. */
export interface YccRounding {
  readonly red: (cr: number) => number;
  readonly green: (cb: number, cr: number) => number;
  readonly blue: (cb: number) => number;
}

/** In 6 bits below a level, rounded towards zero after a half is added. */
const fixed = (value: number): number => Math.trunc(value * 64 + 0.5);

/** Pillow's `convert`. */
export const plainYcc: YccRounding = {
  red: (cr) => fixed(cr * 1.402) >> 6,
  green: (cb, cr) => (fixed(cb * -0.34414) + fixed(cr * -0.71414)) >> 6,
  blue: (cb) => fixed(cb * 1.772) >> 6,
};

/** libtiff's `TIFFYCbCrtoRGB`, in 16 bits below a level; Pillow lets it convert compressed files. */
export const compressedYcc: YccRounding = {
  red: (cr) => (91881 * cr + 32768) >> 16,
  green: (cb, cr) => (-22554 * cb + 32768 - 46802 * cr) >> 16,
  blue: (cb) => (116130 * cb + 32768) >> 16,
};

/** CCIR 601 luma and chroma of a byte each to colours. */
export function yccToRgb(pixels: Pixels, { red, green, blue }: YccRounding): Pixels {
  const data = new Uint8ClampedArray(pixels.data);
  for (let at = 0; at < data.length; at += pixels.channels) {
    const [y, cb, cr] = [data[at]!, data[at + 1]! - 128, data[at + 2]! - 128];
    data[at] = y + red(cr);
    data[at + 1] = y + green(cb, cr);
    data[at + 2] = y + blue(cb);
  }
  return { ...pixels, data: new Uint8Array(data.buffer) };
}
