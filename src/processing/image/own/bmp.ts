import { fullPalette, lookUp, type Picture, type Pixels, UnreadVariant, unpackBits } from "../pixels.ts";
import { unpackRuns } from "./bmp-runs.ts";

const [PLAIN, RUNS8, RUNS4, MASKS] = [0, 1, 2, 3];
const FILE_HEADER = 14;
/** Of OS/2 1, Windows 3, its versions 2 and 3, OS/2 2, and Windows' versions 4 and 5. */
const HEADERS = new Set([12, 40, 52, 56, 64, 108, 124]);

interface Header {
  readonly width: number;
  readonly height: number;
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Which bits are red, green, blue and alpha; 0 for one that there is not. */
  readonly masks: readonly [red: number, green: number, blue: number, alpha: number];
  /** Three bytes a colour. */
  readonly colours: Uint8Array;
  /** Where the pixels begin. */
  readonly start: number;
}

/** A BMP file of Windows or OS/2: 1, 4 or 8 bits with a palette, also as runs, or 16, 24 or 32 bits with any masks. */
export function readBmp(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return readBitmap(bytes, FILE_HEADER, view.getUint32(10, true));
}

/**
 * A bitmap without the header of a file. `start`: where its pixels begin; without it they follow header and palette, as in
 * icons, where the fourth byte of a pixel is its alpha.
 */
export function readBitmap(bytes: Uint8Array, begin: number, start?: number): Picture {
  const header = readHeader(bytes, begin, start);
  return { width: header.width, height: header.height, decode: () => decode(bytes, header) };
}

function readHeader(bytes: Uint8Array, begin: number, given: number | undefined): Header {
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, bytes.byteLength - begin);
  const size = view.getUint32(0, true);
  if (!HEADERS.has(size)) throw new UnreadVariant(`its header has ${size} bytes`);
  const isOs2 = size === 12;
  const width = isOs2 ? view.getUint16(4, true) : view.getInt32(4, true);
  const height = isOs2 ? view.getUint16(6, true) : view.getInt32(8, true);
  const bits = view.getUint16(isOs2 ? 10 : 14, true);
  const compression = isOs2 ? PLAIN : view.getUint32(16, true);
  const stated = isOs2 ? 0 : view.getUint32(32, true);
  if (width < 1 || height === 0) throw new Error(`${width}×${height} pixels`);
  // A header of 40 bytes is followed by three masks.
  const hasMasks = compression === MASKS && size === 40;
  const masks: Header["masks"] =
    compression === MASKS && bits !== 24
      ? [
          view.getUint32(40, true),
          view.getUint32(44, true),
          view.getUint32(48, true),
          size >= 56 ? view.getUint32(52, true) : 0,
        ]
      : bits === 16
        ? [0x7c00, 0x3e0, 0x1f, 0]
        : [0xff0000, 0xff00, 0xff, given === undefined && bits === 32 ? 0xff000000 : 0];
  const entry = isOs2 ? 3 : 4;
  const count = bits > 8 ? 0 : Math.min(stated || 1 << bits, 256);
  const palette = begin + size + (hasMasks ? 12 : 0);
  const colours = new Uint8Array(count * 3);
  for (let colour = 0; colour < count; colour++)
    for (let channel = 0; channel < 3; channel++)
      colours[colour * 3 + channel] = bytes[palette + colour * entry + 2 - channel] ?? 0;
  // Some writers count the palette to the pixels.
  const isWrong = given === begin + size && bits <= 8;
  const start = given === undefined || isWrong ? palette + count * entry : given;
  const isBlank = masks.every((mask) => mask === 0);
  return {
    ...{ width, height: Math.abs(height), isTopDown: height < 0, bits, compression, colours, start },
    masks: isBlank ? [0xff0000, 0xff00, 0xff, 0xff000000] : masks,
  };
}

function decode(bytes: Uint8Array, header: Header): Pixels {
  const { bits, compression } = header;
  if (compression === RUNS8 || compression === RUNS4) {
    const indices = unpackRuns(bytes.subarray(header.start), header, compression === RUNS4);
    return lookUp(upright(indices, header, 1), header, fullPalette(header.colours));
  }
  if (compression !== PLAIN && compression !== MASKS)
    throw new UnreadVariant(`its compression is ${compression}`);
  const stride = ((header.width * bits + 31) >> 5) * 4;
  const pixels = bytes.subarray(header.start, header.start + stride * header.height);
  if (pixels.length < stride * header.height) throw new Error("its pixels end early");
  if (bits === 1 || bits === 2 || bits === 4 || bits === 8) {
    const indices = new Uint8Array(header.width * header.height);
    for (let row = 0; row < header.height; row++)
      unpackBits(pixels.subarray(row * stride), bits, header.width, indices, row * header.width);
    return lookUp(upright(indices, header, 1), header, fullPalette(header.colours));
  }
  if (bits !== 16 && bits !== 24 && bits !== 32) throw new UnreadVariant(`its pixels have ${bits} bits`);
  const channels = header.masks[3] === 0 ? 3 : 4;
  const data = readMasked(pixels, stride, header, channels);
  return { width: header.width, height: header.height, channels, data: upright(data, header, channels) };
}

/** Fewer than 8 bits are spread over a byte, rounded down; of more the highest are taken. */
function readMasked(pixels: Uint8Array, stride: number, header: Header, channels: 3 | 4): Uint8Array {
  const { width, height, bits, masks } = header;
  const step = bits / 8;
  const parts = masks.slice(0, channels).map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { mask, shift, most: mask >>> shift };
  });
  const data = new Uint8Array(width * height * channels);
  let to = 0;
  for (let row = 0; row < height; row++)
    for (let from = row * stride; from < row * stride + width * step; from += step) {
      let value = pixels[from]! | (pixels[from + 1]! << 8);
      if (step > 2) value |= pixels[from + 2]! << 16;
      if (step > 3) value |= pixels[from + 3]! << 24;
      for (const { mask, shift, most } of parts) {
        const part = (value & mask) >>> shift;
        data[to++] = most === 255 || most === 0 ? part : Math.floor((part * 255) / most);
      }
    }
  return data;
}

/** Rows lie from the lowest up, unless the height is negative. */
function upright(rows: Uint8Array, { width, height, isTopDown }: Header, channels: number): Uint8Array {
  if (isTopDown) return rows;
  const length = width * channels;
  const turned = new Uint8Array(rows.length);
  for (let row = 0; row < height; row++)
    turned.set(rows.subarray(row * length, (row + 1) * length), (height - 1 - row) * length);
  return turned;
}
