import { readFileSync } from "node:fs";
import type { RgbImage } from "./rgb.ts";

/**
 * What a pass along one axis needs: output i is the weighted sum of inputs from `first + starts[i]`, two for each of its
 * `pairs` of weights, which are cut and laid out as resample.wat says. All outputs together read `count` inputs from `first`.
 */
export type Kernel = {
  readonly first: number;
  readonly count: number;
  readonly starts: Int32Array;
  readonly pairs: number;
  readonly weights: Int16Array;
};

/** RGB rows in the workspace: `pitch` bytes from one to the next. */
export type Band = {
  readonly address: number;
  readonly pitch: number;
  readonly width: number;
  readonly height: number;
};

/** The memory that the two passes of resample.wat work in, good for one resize. */
export type Workspace = {
  /** Copies `rows` whole rows of the image from `firstRow` in. */
  load(image: RgbImage, firstRow: number, rows: number): Band;
  resampleRows(band: Band, kernel: Kernel): Band;
  resampleColumns(band: Band, kernel: Kernel): Band;
  /** Copies the result of a pass out. */
  read(band: Band): RgbImage;
  /** Writes planes of red, green and blue, each byte replaced by the value in its channel's part of 3 × 256 values. */
  lookUp(image: RgbImage, values: Float32Array, planes: Float32Array): void;
};

type Pass = (
  source: number,
  pitch: number,
  rows: number,
  target: number,
  targetPitch: number,
  extent: number,
  starts: number,
  weights: number,
  pairs: number,
) => void;
type LookUp = (source: number, pixels: number, values: number, target: number) => void;
type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };
type Exports = {
  readonly memory: Memory;
  readonly rows: Pass;
  readonly columns: Pass;
  readonly look: LookUp;
};

// The types of this global come with the browser's, which are of no use here.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

const PAGE = 65_536;
/** Memory only grows: after a huge image it is given back instead of kept for the next. */
const MOST_KEPT = 1024 * PAGE;

let compiled: object | undefined;
let kept: Exports | undefined;

/** Resamples run one after the other in one memory: read a result before the next workspace is opened. */
export function openWorkspace(): Workspace {
  compiled ??= new WebAssembly.Module(readFileSync(new URL("./resample.wasm", import.meta.url)));
  kept ??= new WebAssembly.Instance(compiled).exports as Exports;
  const { memory, rows, columns, look } = kept;
  let end = 0;

  /** The passes read and write up to a vector past the end of what they are given. */
  function reserve(bytes: number): number {
    const address = end;
    end += Math.ceil((bytes + 32) / 16) * 16;
    if (end > memory.buffer.byteLength) memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
    return address;
  }

  function store(values: Int32Array | Int16Array | Float32Array | Uint8Array): number {
    const address = reserve(values.byteLength);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    new Uint8Array(memory.buffer, address).set(bytes);
    return address;
  }

  /** A band of whole groups of four rows, and a row more: a tap of weight zero may lie one below the last. */
  const reserveRows = (pitch: number, height: number): number =>
    reserve((Math.ceil(height / 4) * 4 + 1) * pitch);

  return {
    load({ width, data }, firstRow, rowCount) {
      const pitch = width * 3;
      const address = reserveRows(pitch, rowCount);
      new Uint8Array(memory.buffer, address).set(
        data.subarray(firstRow * pitch, (firstRow + rowCount) * pitch),
      );
      return { address, pitch, width, height: rowCount };
    },

    resampleRows(band, kernel) {
      const width = kernel.starts.length;
      const starts = store(kernel.starts.map((start) => start * 3));
      const weights = store(kernel.weights);
      // The byte that a row's last pixel runs over into is its own.
      const pitch = width * 3 + 1;
      const address = reserveRows(pitch, band.height);
      rows(
        ...([band.address, band.pitch, band.height] as const),
        ...([address, pitch, width] as const),
        ...([starts, weights, kernel.pairs] as const),
      );
      return { address, pitch, width, height: band.height };
    },

    resampleColumns(band, kernel) {
      const height = kernel.starts.length;
      const pitch = band.width * 3;
      const starts = store(kernel.starts.map((start) => start * band.pitch));
      const weights = store(kernel.weights);
      const address = reserveRows(pitch, height);
      columns(
        ...([band.address, band.pitch, height] as const),
        ...([address, pitch, pitch] as const),
        ...([starts, weights, kernel.pairs] as const),
      );
      return { address, pitch, width: band.width, height };
    },

    read({ address, pitch, width, height }) {
      const length = width * 3;
      const bytes = new Uint8Array(memory.buffer, address, pitch * height);
      const data = pitch === length ? bytes.slice() : new Uint8Array(length * height);
      if (pitch !== length)
        for (let y = 0; y < height; y++) data.set(bytes.subarray(y * pitch, y * pitch + length), y * length);
      release();
      return { width, height, data };
    },

    lookUp({ width, height, data }, values, planes) {
      const pixels = width * height;
      const [source, tables] = [store(data), store(values)];
      const target = reserve(pixels * 12);
      look(source, pixels, tables, target);
      planes.set(new Float32Array(memory.buffer, target, pixels * 3));
      release();
    },
  };

  function release(): void {
    if (memory.buffer.byteLength > MOST_KEPT) kept = undefined;
  }
}
