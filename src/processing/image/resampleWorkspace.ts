import { readFileSync } from "node:fs";
import type { RgbImage } from "./rgb.ts";

/**
 * What a pass along one axis needs: output i is the sum of `taps` inputs from `first + starts[i]`, weighted
 * by `weights[i * taps]` and the following. All outputs together read `count` inputs from `first`.
 */
export type Kernel = {
  readonly first: number;
  readonly count: number;
  readonly starts: Int32Array;
  readonly taps: number;
  readonly weights: Int32Array;
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
};

type Pass = (
  source: number,
  pitch: number,
  rows: number,
  target: number,
  extent: number,
  starts: number,
  weights: number,
  taps: number,
) => void;
type Memory = { readonly buffer: ArrayBuffer; grow(pages: number): number };
type Exports = { readonly memory: Memory; readonly rows: Pass; readonly columns: Pass };

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
  const { memory, rows, columns } = kept;
  let end = 0;

  /** The passes read and write up to a vector past the end of what they are given. */
  function reserve(bytes: number): number {
    const address = end;
    end += Math.ceil((bytes + 32) / 16) * 16;
    if (end > memory.buffer.byteLength) memory.grow(Math.ceil((end - memory.buffer.byteLength) / PAGE));
    return address;
  }

  function store(values: Int32Array): number {
    const address = reserve(values.byteLength);
    new Int32Array(memory.buffer, address, values.length).set(values);
    return address;
  }

  return {
    load({ width, data }, firstRow, rowCount) {
      const pitch = width * 3;
      // A tap of weight zero may lie one row below the last.
      const address = reserve((rowCount + 1) * pitch);
      new Uint8Array(memory.buffer, address).set(
        data.subarray(firstRow * pitch, (firstRow + rowCount) * pitch),
      );
      return { address, pitch, width, height: rowCount };
    },

    resampleRows(band, kernel) {
      const width = kernel.starts.length;
      const starts = store(kernel.starts.map((start) => start * 3));
      const weights = store(kernel.weights);
      const address = reserve((band.height + 1) * width * 3);
      rows(band.address, band.pitch, band.height, address, width, starts, weights, kernel.taps);
      return { address, pitch: width * 3, width, height: band.height };
    },

    resampleColumns(band, kernel) {
      const height = kernel.starts.length;
      const pitch = band.width * 3;
      const starts = store(kernel.starts.map((start) => start * band.pitch));
      const weights = store(kernel.weights);
      const address = reserve((height + 1) * pitch);
      columns(band.address, band.pitch, height, address, pitch, starts, weights, kernel.taps);
      return { address, pitch, width: band.width, height };
    },

    read({ address, width, height }) {
      const data = new Uint8Array(memory.buffer, address, width * height * 3).slice();
      if (memory.buffer.byteLength > MOST_KEPT) kept = undefined;
      return { width, height, data };
    },
  };
}
