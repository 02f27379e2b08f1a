import { fullPalette, lookUp, type Picture } from "../pixels.ts";
import { unpackLzw } from "./lzw.ts";

const [EXTENSION, GRAPHIC_CONTROL, IMAGE, TRAILER] = [0x21, 0xf9, 0x2c, 0x3b];
const [HAS_TABLE, INTERLACED] = [0x80, 0x40];

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
  readonly isInterlaced: boolean;
  /** Three bytes a colour, undefined where neither frame nor screen has a table. */
  readonly colours: Uint8Array | undefined;
  readonly transparent: number | undefined;
  /** Where its pixels begin. */
  readonly start: number;
}

/**
 * The first frame of a GIF on its screen, which grows with a frame that reaches over it. What the frame leaves free shows its
 * transparent colour, or else the first of the palette, as in Pillow.
 */
export function readGif(bytes: Uint8Array): Picture {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const flags = view.getUint8(10);
  const table = flags & HAS_TABLE ? 3 << ((flags & 7) + 1) : 0;
  const frame = firstFrame(bytes, view, 13 + table, table > 0 ? bytes.subarray(13, 13 + table) : undefined);
  const width = Math.max(view.getUint16(6, true), frame.left + frame.width);
  const height = Math.max(view.getUint16(8, true), frame.top + frame.height);
  return { width, height, decode: () => drawFrame(bytes, frame, width, height) };
}

function firstFrame(bytes: Uint8Array, view: DataView, begin: number, screen: Uint8Array | undefined): Frame {
  let transparent: number | undefined;
  let at = begin;
  while (view.getUint8(at) !== IMAGE) {
    if (view.getUint8(at) === TRAILER) throw new Error("it holds no picture");
    if (view.getUint8(at) === EXTENSION) {
      if (view.getUint8(at + 1) === GRAPHIC_CONTROL && view.getUint8(at + 3) & 1)
        transparent = view.getUint8(at + 6);
      for (at += 2; view.getUint8(at) > 0; ) at += view.getUint8(at) + 1;
    }
    at++;
  }
  const word = (offset: number): number => view.getUint16(at + offset, true);
  const flags = view.getUint8(at + 9);
  const table = flags & HAS_TABLE ? 3 << ((flags & 7) + 1) : 0;
  return {
    ...{ left: word(1), top: word(3), width: word(5), height: word(7) },
    isInterlaced: (flags & INTERLACED) !== 0,
    colours: table > 0 ? bytes.subarray(at + 10, at + 10 + table) : screen,
    transparent,
    start: at + 10 + table,
  };
}

function drawFrame(bytes: Uint8Array, frame: Frame, width: number, height: number) {
  const { left, top, transparent, colours } = frame;
  const indices = unpackLzw(
    joinBlocks(bytes, frame.start + 1),
    bytes[frame.start]!,
    frame.width * frame.height,
  );
  const screen = new Uint8Array(width * height).fill(transparent ?? 0);
  const order = frame.isInterlaced
    ? interlacedRows(frame.height)
    : Array.from({ length: frame.height }, (_, row) => row);
  for (const [place, row] of order.entries()) {
    const pixels = indices.subarray(place * frame.width, (place + 1) * frame.width);
    screen.set(pixels, (top + row) * width + left);
  }
  return lookUp(screen, { width, height }, fullPalette(colours), transparent);
}

/** Every eighth row, those in the middle between them, and so on. */
const interlacedRows = (height: number): number[] =>
  [
    [0, 8],
    [4, 8],
    [2, 4],
    [1, 2],
  ].flatMap(([first, step]) =>
    Array.from({ length: Math.ceil(Math.max(0, height - first!) / step!) }, (_, i) => first! + i * step!),
  );

/** The content of sub-blocks up to the empty one. @throws Error where the file ends before */
function joinBlocks(bytes: Uint8Array, begin: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let at = begin; ; ) {
    const length = bytes[at];
    if (length === 0 || length === undefined) break;
    blocks.push(bytes.subarray(at + 1, at + 1 + length));
    at += length + 1;
  }
  return Buffer.concat(blocks);
}
