import { type Picture, type Pixels, unpackBits } from "../pixels.ts";

interface Header {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  readonly isPacked: boolean;
  /** Of the palette's entries; 0 without one. */
  readonly entryBits: number;
  readonly firstEntry: number;
  readonly isTopDown: boolean;
  readonly isMirrored: boolean;
  readonly palette: Uint8Array;
  readonly start: number;
  readonly kind: "palette" | "colour" | "grey";
}

const kinds: Readonly<Record<number, Header["kind"]>> = { 1: "palette", 2: "colour", 3: "grey" };

/** A Truevision TGA file, which has no signature of its own: undefined for what cannot be one. */
export function readTga(bytes: Uint8Array): Picture | undefined {
  if (bytes.length < 18) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (at: number): number => view.getUint16(at, true);
  const [idLength, mapType, type, entryBits, bits, flags] = [0, 1, 2, 7, 16, 17].map((at) => bytes[at]!);
  const [entries, width, height] = [word(5), word(12), word(14)];
  const kind = kinds[type! & 7];
  const depths = { palette: [8], colour: [16, 24, 32], grey: type! < 8 ? [1, 8, 16] : [8, 16] };
  if (kind === undefined || type! > 11 || (type! > 3 && type! < 9) || mapType! > 1) return undefined;
  if (width === 0 || height === 0 || !depths[kind].includes(bits!) || (flags! & 0xc0) !== 0) return undefined;
  if (
    kind === "palette"
      ? mapType === 0 || ![16, 24, 32].includes(entryBits!)
      : mapType === 1 && entryBits === 0
  )
    return undefined;
  const paletteBytes = mapType === 1 ? entries * Math.ceil(entryBits! / 8) : 0;
  const start = 18 + idLength! + paletteBytes;
  const header: Header = {
    ...{ width, height, bits: bits!, kind, start, isPacked: type! >= 8, firstEntry: word(3) },
    entryBits: mapType === 1 ? entryBits! : 0,
    isTopDown: (flags! & 0x20) !== 0,
    isMirrored: (flags! & 0x10) !== 0,
    palette: bytes.subarray(18 + idLength!, start),
  };
  const unpacked = Math.ceil((width * bits!) / 8) * height;
  const least = header.isPacked ? unpacked / 128 : unpacked;
  if (bytes.length - start < least) return undefined;
  return { width, height, decode: () => decode(bytes.subarray(start), header) };
}

function decode(content: Uint8Array, header: Header): Pixels {
  const { width, height, bits, kind, entryBits, palette, firstEntry } = header;
  const step = Math.ceil(bits / 8);
  const stored = header.isPacked ? unpack(content, width * height * step, step) : spread(content, header);
  const depth = kind === "palette" ? entryBits : bits;
  const channels = depth === 32 || depth === 16 ? 4 : 3;
  const data = new Uint8Array(width * height * channels);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++) {
      const line = header.isTopDown ? row : height - 1 - row;
      const from = (line * width + (header.isMirrored ? width - 1 - column : column)) * step;
      const to = (row * width + column) * channels;
      if (kind === "palette") putColour(palette, (stored[from]! - firstEntry) * (depth / 8), depth, data, to);
      else if (kind === "colour") putColour(stored, from, depth, data, to);
      else {
        data.fill(stored[from]!, to, to + 3);
        if (channels === 4) data[to + 3] = stored[from + 1]!;
      }
    }
  return { width, height, channels, data };
}

/** A byte for each pixel of one bit. */
function spread(content: Uint8Array, { width, height, bits }: Header): Uint8Array {
  if (bits !== 1) return content;
  const out = new Uint8Array(width * height);
  const stride = Math.ceil(width / 8);
  for (let row = 0; row < height; row++)
    unpackBits(content.subarray(row * stride), 1, width, out, row * width);
  return out.map((bit) => bit * 255);
}

/** Of 15 bits rounded down to a byte; the bit above them means transparent. */
function putColour(source: Uint8Array, from: number, depth: number, data: Uint8Array, to: number): void {
  if (depth === 16) {
    const value = source[from]! | (source[from + 1]! << 8);
    for (const [channel, shift] of [10, 5, 0].entries())
      data[to + channel] = Math.floor((((value >> shift) & 31) * 255) / 31);
    data[to + 3] = value & 0x8000 ? 0 : 255;
    return;
  }
  for (let channel = 0; channel < 3; channel++) data[to + channel] = source[from + 2 - channel]!;
  if (depth === 32) data[to + 3] = source[from + 3]!;
}

/** Runs of one pixel, or of so many pixels as they are. @throws Error where they end early */
function unpack(content: Uint8Array, length: number, step: number): Uint8Array {
  const out = new Uint8Array(length);
  let [from, to] = [0, 0];
  while (to < length) {
    const head = content[from++];
    if (head === undefined) throw new Error("its pixels end early");
    const count = ((head & 127) + 1) * step;
    const taken = head > 127 ? step : count;
    if (from + taken > content.length) throw new Error("its pixels end early");
    for (let at = 0; at < count && to < length; at++) out[to++] = content[from + (at % taken)]!;
    from += taken;
  }
  return out;
}
