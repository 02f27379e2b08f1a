import { LlavaError } from "../../errors.ts";

/** Decoded pixels, row-major: the byte of channel c at (x, y) is `data[(y * width + x) * 3 + c]`. */
export type RgbImage = {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
};

export type Colour = readonly [red: number, green: number, blue: number];

/** In pixels; it may reach outside the image where a function says so. */
export type Rectangle = {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
};

/** A canvas of one colour, black unless told otherwise. */
export function createImage(width: number, height: number, colour: Colour = [0, 0, 0]): RgbImage {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new LlavaError("image", `an image needs sides of at least 1 pixel, got ${width}×${height}`);
  }
  const data = new Uint8Array(width * height * 3);
  if (colour.some((value) => value !== 0)) {
    data.set(colour);
    for (let filled = 3; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  }
  return { width, height, data };
}
