import { LlavaError } from "../../errors.ts";
import { cropAt } from "./geometry.ts";
import { createImage, type Rectangle, type RgbImage } from "./rgb.ts";

/** A filter by name; `RESAMPLE_CODES` gives the numbers that Pillow and Hugging Face configurations use. */
export type Resample = "nearest" | "lanczos" | "bilinear" | "bicubic" | "box" | "hamming";

/** The position in this list is the code: 2 is bilinear, 3 bicubic. */
export const RESAMPLE_CODES = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"] as const;

type Filter = { readonly support: number; weight(distance: number): number };

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const FILTERS: Record<Exclude<Resample, "nearest">, Filter> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight: (x) => (Math.abs(x) < 1 ? sinc(x) * (0.54 + 0.46 * Math.cos(x * Math.PI)) : 0),
  },
  bicubic: {
    support: 2,
    weight(distance) {
      const a = -0.5;
      const x = Math.abs(distance);
      if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Weights are integers of 1/2²²: 8 bits of pixel and 2 of headroom fill the other bits of an int32. */
const PRECISION_BITS = 32 - 8 - 2;
const HALF = 1 << (PRECISION_BITS - 1);

/** For output position i: `taps[i]` weights from `weights[i * stride]`, for the inputs from `starts[i]`. */
type Kernel = {
  readonly starts: Int32Array;
  readonly taps: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
};

/** The kernel of outputs `first` to `first + count` when `inputSize` samples become `outputSize`. */
function createKernel(
  inputSize: number,
  outputSize: number,
  first: number,
  count: number,
  filter: Filter,
): Kernel {
  const scale = inputSize / outputSize;
  const filterScale = Math.max(scale, 1);
  const support = filter.support * filterScale;
  const inverse = 1 / filterScale;
  const stride = Math.ceil(support) * 2 + 1;
  const starts = new Int32Array(count);
  const taps = new Int32Array(count);
  const weights = new Int32Array(count * stride);
  const exact = new Float64Array(stride);
  for (let i = 0; i < count; i++) {
    const center = (first + i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - support + 0.5));
    const length = Math.min(inputSize, Math.trunc(center + support + 0.5)) - start;
    let sum = 0;
    for (let tap = 0; tap < length; tap++) {
      const weight = filter.weight((tap + start - center + 0.5) * inverse);
      exact[tap] = weight;
      sum += weight;
    }
    for (let tap = 0; tap < length; tap++) {
      const weight = sum === 0 ? exact[tap]! : exact[tap]! / sum;
      weights[i * stride + tap] = Math.trunc(weight * (1 << PRECISION_BITS) + (weight < 0 ? -0.5 : 0.5));
    }
    starts[i] = start;
    taps[i] = length;
  }
  return { starts, taps, weights, stride };
}

/** The inputs that a kernel reads. */
function reach({ starts, taps }: Kernel): { first: number; count: number } {
  const first = starts[0]!;
  return { first, count: starts.at(-1)! + taps.at(-1)! - first };
}

/** Resamples along x, for `rows` rows from `firstRow`; the kernel counts columns from `firstColumn`. */
function resampleRows(
  input: RgbImage,
  firstRow: number,
  rows: number,
  kernel: Kernel,
  firstColumn = 0,
): RgbImage {
  const { starts, taps, weights, stride } = kernel;
  const width = starts.length;
  const source = input.data;
  const output = new Uint8ClampedArray(width * rows * 3);
  let to = 0;
  for (let y = firstRow; y < firstRow + rows; y++) {
    const row = y * input.width - firstColumn;
    for (let x = 0; x < width; x++) {
      let from = (row + starts[x]!) * 3;
      const first = x * stride;
      const end = first + taps[x]!;
      let red = HALF;
      let green = HALF;
      let blue = HALF;
      for (let tap = first; tap < end; tap++) {
        const weight = weights[tap]!;
        red = (red + Math.imul(source[from]!, weight)) | 0;
        green = (green + Math.imul(source[from + 1]!, weight)) | 0;
        blue = (blue + Math.imul(source[from + 2]!, weight)) | 0;
        from += 3;
      }
      output[to] = red >> PRECISION_BITS;
      output[to + 1] = green >> PRECISION_BITS;
      output[to + 2] = blue >> PRECISION_BITS;
      to += 3;
    }
  }
  return { width, height: rows, data: new Uint8Array(output.buffer) };
}

/** Resamples along y, for `columns` columns from `firstColumn`; the kernel counts rows from `firstRow`. */
function resampleColumns(
  input: RgbImage,
  firstColumn: number,
  columns: number,
  kernel: Kernel,
  firstRow = 0,
): RgbImage {
  const { starts, taps, weights, stride } = kernel;
  const height = starts.length;
  const source = input.data;
  const pitch = input.width * 3;
  const output = new Uint8ClampedArray(columns * height * 3);
  let to = 0;
  for (let y = 0; y < height; y++) {
    const first = y * stride;
    const end = first + taps[y]!;
    const row = (starts[y]! - firstRow) * pitch + firstColumn * 3;
    for (let column = row; column < row + columns * 3; column++) {
      let from = column;
      let sum = HALF;
      for (let tap = first; tap < end; tap++) {
        sum = (sum + Math.imul(source[from]!, weights[tap]!)) | 0;
        from += pitch;
      }
      output[to++] = sum >> PRECISION_BITS;
    }
  }
  return { width: columns, height, data: new Uint8Array(output.buffer) };
}

/** Takes the pixel under the centre of each output pixel; positions are summed up step by step, as Pillow's. */
function resizeNearest(image: RgbImage, width: number, height: number): RgbImage {
  const positions = (inputSize: number, outputSize: number) => {
    const step = inputSize / outputSize;
    const result = new Int32Array(outputSize);
    for (let i = 0, at = step * 0.5; i < outputSize; i++, at += step) result[i] = Math.min(at, inputSize - 1);
    return result;
  };
  const columns = positions(image.width, width);
  const output = createImage(width, height);
  let to = 0;
  for (const y of positions(image.height, height)) {
    for (const x of columns) {
      const from = (y * image.width + x) * 3;
      output.data[to++] = image.data[from]!;
      output.data[to++] = image.data[from + 1]!;
      output.data[to++] = image.data[from + 2]!;
    }
  }
  return output;
}

/**
 * Resizes to `width`×`height`, equal byte for byte to `Image.resize` of an RGB image in Pillow 13:
 * antialiased, along x and then along y, rounded to 8 bits in between. The order is the other way round
 * where the height shrinks by more than twice what the width does; releases before 13 never swap it.
 *
 * `region` asks for a part of the result only, which costs that part only; it must lie inside the result.
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  resample: Resample,
  region: Rectangle = { left: 0, top: 0, width, height },
): RgbImage {
  checkSize(width, height);
  if (image.width === width && image.height === height) return cropAt(image, region);
  if (resample === "nearest") return cropAt(resizeNearest(image, width, height), region);
  const filter = FILTERS[resample];
  const horizontal = createKernel(image.width, width, region.left, region.width, filter);
  const vertical = createKernel(image.height, height, region.top, region.height, filter);
  if (image.height === height) return resampleRows(image, region.top, region.height, horizontal);
  if (image.width === width) return resampleColumns(image, region.left, region.width, vertical);
  const verticalFirst = height < image.height && image.height - height > 2 * (image.width - width);
  if (verticalFirst) {
    const { first, count } = reach(horizontal);
    const columns = resampleColumns(image, first, count, vertical);
    return resampleRows(columns, 0, region.height, horizontal, first);
  }
  const { first, count } = reach(vertical);
  const rows = resampleRows(image, first, count, horizontal);
  return resampleColumns(rows, 0, region.width, vertical, first);
}

/** `resize` with the cubic filter of a = −0.5 that CLIP's preprocessing uses. */
export function resizeBicubic(image: RgbImage, width: number, height: number): RgbImage {
  return resize(image, width, height, "bicubic");
}

/** `resize` with the triangle filter. */
export function resizeBilinear(image: RgbImage, width: number, height: number): RgbImage {
  return resize(image, width, height, "bilinear");
}

function checkSize(width: number, height: number): void {
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1) {
    throw new LlavaError("image", `cannot resize to ${width}×${height}: sides must be whole numbers from 1`);
  }
}
