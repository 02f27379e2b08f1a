import { LlavaError } from "../../errors.ts";

/** Decoded pixels, row-major: the byte of channel c at (x, y) is `data[(y * width + x) * 3 + c]`. */
export type RgbImage = {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array;
};

/** In pixels. */
export interface ImageSize {
  readonly width: number;
  readonly height: number;
}

export type Colour = readonly [red: number, green: number, blue: number];

/** In pixels; it may reach outside the image where a function says so. */
export type Rectangle = {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
};

/** 600 MB. Only an extreme strip of an image, made square, comes near. */
const MOST_PIXELS = 200_000_000;

/** Throws code "image" unless both sides are whole and from 1, and memory for the pixels can be had. */
export function checkSize(width: number, height: number): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new LlavaError("image", `an image cannot be ${width}×${height}: sides are whole numbers from 1`);
  }
  if (width * height > MOST_PIXELS) {
    throw new LlavaError(
      "image",
      `an image of ${width}×${height} is too large, the limit is ${MOST_PIXELS} pixels`,
      {
        hint: "crop it, or scale it down first",
      },
    );
  }
}

/** A canvas of one colour, black unless told otherwise. */
export function createImage(width: number, height: number, colour: Colour = [0, 0, 0]): RgbImage {
  checkSize(width, height);
  const data = new Uint8Array(width * height * 3);
  if (colour.some((value) => value !== 0)) {
    data.set(colour);
    for (let filled = 3; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  }
  return { width, height, data };
}

/**
 * Gives the memory of an array back at once, which must not be used any more. Left to the garbage collector, arrays of a
 * megabyte for every image of a data set make it run all the time.
 */
export function releaseMemory({ buffer, byteLength }: Uint8Array | Float32Array): void {
  // An array that shares its memory with others keeps it.
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}
