/** Decoded pixels before it is decided what transparency becomes: rows of red, green and blue, and of alpha with 4 channels. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
  readonly data: Uint8Array;
}

/** Why a file that is whole is not read: its kind has a variant that decoders here lack. */
export class UnreadVariant extends Error {}

/** A picture whose size is known, and whose pixels are decoded when they are asked for. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** @throws Error for what is damaged or cut short */
  decode(): Pixels;
}

/** 256 colours of three bytes: those that there are, and then black; greys where there is no palette at all, as in Pillow. */
export function fullPalette(colours: Uint8Array | undefined): Uint8Array {
  if (colours === undefined) return Uint8Array.from({ length: 768 }, (_, at) => Math.floor(at / 3));
  const palette = new Uint8Array(768);
  palette.set(colours.subarray(0, 768));
  return palette;
}

/** Colours of a palette by their numbers; `transparent` numbers one that is not seen. */
export function lookUp(
  indices: Uint8Array,
  size: { readonly width: number; readonly height: number },
  palette: Uint8Array,
  transparent?: number,
): Pixels {
  const channels = transparent === undefined ? 3 : 4;
  const data = new Uint8Array(indices.length * channels);
  for (let pixel = 0; pixel < indices.length; pixel++) {
    const index = indices[pixel]!;
    for (let channel = 0; channel < 3; channel++)
      data[pixel * channels + channel] = palette[index * 3 + channel]!;
    if (channels === 4) data[pixel * 4 + 3] = index === transparent ? 0 : 255;
  }
  return { width: size.width, height: size.height, channels, data };
}

/** Numbers of 1, 2, 4 or 8 bits each, the highest bits first. */
export function unpackBits(row: Uint8Array, bits: number, count: number, out: Uint8Array, to: number): void {
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  for (let at = 0; at < count; at++) {
    const shift = 8 - bits * ((at % perByte) + 1);
    out[to + at] = (row[Math.floor(at / perByte)]! >> shift) & mask;
  }
}
