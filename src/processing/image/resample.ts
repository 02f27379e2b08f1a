import { cropAt } from "./geometry.ts";
import { type Band, type Kernel, openWorkspace } from "./resampleWorkspace.ts";
import { checkSize, createImage, type Rectangle, type RgbImage } from "./rgb.ts";

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

/** Whose rounding: Pillow's weights have 22 bits behind the point, torchvision's for bytes as many as fit into 16. */
export type Arithmetic = "pillow" | "torch";

/** Weights are integers of 1/2²²: 8 bits of pixel and 2 of headroom fill the other bits of an int32. */
const PRECISION_BITS = 32 - 8 - 2;

/** The kernel of outputs `from` to `from + outputs` when `inputSize` samples become `outputSize`. */
function createKernel(
  inputSize: number,
  outputSize: number,
  from: number,
  outputs: number,
  { support, weight }: Filter,
  arithmetic: Arithmetic,
): Kernel {
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  const centerOf = (output: number) => (from + output + 0.5) * scale;
  const startOf = (output: number) => Math.max(0, Math.trunc(centerOf(output) - reach + 0.5));
  const endOf = (output: number) => Math.min(inputSize, Math.trunc(centerOf(output) + reach + 0.5));

  const first = startOf(0);
  const count = endOf(outputs - 1) - first;
  const starts = Int32Array.from({ length: outputs }, (_, output) => startOf(output) - first);
  const longest = starts.reduce((most, start, output) => Math.max(most, endOf(output) - first - start), 0);
  const pairs = Math.ceil(longest / 2);
  // Near the end there are fewer taps than all read: those without a weight lie before the others there, not beyond the input.
  const lastStart = Math.max(0, count - 2 * pairs);
  const weights = new Int16Array(outputs * pairs * 4);
  const exact = new Float64Array(longest);
  /** The weights of an output, which add up to 1. */
  const fill = (output: number): number => {
    const center = centerOf(output);
    const start = startOf(output);
    const length = endOf(output) - start;
    let sum = 0;
    for (let tap = 0; tap < length; tap++) {
      exact[tap] = weight((start + tap - center + 0.5) * (1 / stretch));
      sum += exact[tap]!;
    }
    if (sum !== 0) for (let tap = 0; tap < length; tap++) exact[tap] = exact[tap]! / sum;
    return length;
  };
  const bits =
    arithmetic === "pillow"
      ? PRECISION_BITS
      : narrowBits(largestWeight(inputSize, outputSize, { support, weight }));
  const unit = 2 ** (PRECISION_BITS - bits);
  for (let output = 0; output < outputs; output++) {
    const length = fill(output);
    const unweighted = Math.max(0, starts[output]! - lastStart);
    starts[output]! -= unweighted;
    for (let tap = 0; tap < length; tap++) {
      const scaled = exact[tap]! * 2 ** bits;
      const rounded = Math.trunc(scaled + (scaled < 0 ? -0.5 : 0.5)) * unit;
      const low = (rounded << 20) >> 20;
      const place = tap + unweighted;
      const at = (output * pairs + (place >> 1)) * 4 + (place & 1);
      weights[at] = low;
      weights[at + 2] = (rounded - low) >> 12;
    }
  }
  return { first, count, starts, pairs, weights };
}

/** Of all outputs, not of those of a region alone. */
function largestWeight(inputSize: number, outputSize: number, { support, weight }: Filter): number {
  const scale = inputSize / outputSize;
  const stretch = Math.max(scale, 1);
  const reach = support * stretch;
  let largest = 0;
  for (let output = 0; output < outputSize; output++) {
    const center = (output + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const end = Math.min(inputSize, Math.trunc(center + reach + 0.5));
    const taps = Array.from({ length: end - start }, (_, tap) =>
      weight((start + tap - center + 0.5) * (1 / stretch)),
    );
    const sum = taps.reduce((total, tap) => total + tap, 0);
    largest = taps.reduce((most, tap) => Math.max(most, sum === 0 ? tap : tap / sum), largest);
  }
  return largest;
}

/** Bits behind the point with which the largest weight still fits into 16. */
function narrowBits(largest: number): number {
  let bits = 0;
  while (bits < PRECISION_BITS && Math.trunc(0.5 + largest * 2 ** (bits + 1)) < 2 ** 15) bits++;
  return bits;
}

/** Kernels of the sizes that were met last: photos of a data set have few. */
const kernels = new Map<string, Kernel>();
const mostKernels = 64;

function kernelFor(
  ...sizes: readonly [inputSize: number, outputSize: number, from: number, outputs: number]
) {
  return (resample: Exclude<Resample, "nearest">, arithmetic: Arithmetic): Kernel => {
    const name = `${resample} ${arithmetic} ${sizes.join(" ")}`;
    let kernel = kernels.get(name);
    if (kernel === undefined) {
      kernel = createKernel(...sizes, FILTERS[resample], arithmetic);
      if (kernels.size >= mostKernels) kernels.delete(kernels.keys().next().value!);
      kernels.set(name, kernel);
    }
    return kernel;
  };
}

/** Takes the pixel under the centre of each output pixel; positions are summed up step by step, as Pillow's. */
function resizeNearest(image: RgbImage, width: number, height: number, region: Rectangle): RgbImage {
  const positions = (inputSize: number, outputSize: number, from: number, outputs: number) => {
    const step = inputSize / outputSize;
    const result = new Int32Array(outputs);
    for (let i = 0, at = step * 0.5; i < from + outputs; i++, at += step) {
      if (i >= from) result[i - from] = Math.min(at, inputSize - 1);
    }
    return result;
  };
  const columns = positions(image.width, width, region.left, region.width);
  const output = createImage(region.width, region.height);
  let to = 0;
  for (const y of positions(image.height, height, region.top, region.height)) {
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
 * With `arithmetic` "torch" the bytes are those of torchvision for an image of bytes, with antialias.
 *
 * `region` asks for a part of the result only, which costs that part only; it must lie inside the result.
 */
export function resize(
  image: RgbImage,
  width: number,
  height: number,
  resample: Resample,
  region: Rectangle = { left: 0, top: 0, width, height },
  arithmetic: Arithmetic = "pillow",
): RgbImage {
  checkSize(region.width, region.height);
  if (image.width === width && image.height === height) return cropAt(image, region);
  if (resample === "nearest") return resizeNearest(image, width, height, region);
  const { left, top } = region;
  const alongX =
    image.width === width
      ? undefined
      : kernelFor(image.width, width, left, region.width)(resample, arithmetic);
  const alongY =
    image.height === height
      ? undefined
      : kernelFor(image.height, height, top, region.height)(resample, arithmetic);
  const verticalFirst =
    arithmetic === "pillow" && height < image.height && image.height - height > 2 * (image.width - width);

  const workspace = openWorkspace();
  // Only the rows and columns that end up in the region are worth a pass.
  const rows = alongY ?? { first: top, count: region.height };
  const columns = alongX ?? { first: left, count: region.width };
  const source = workspace.load(image, rows.first, rows.count);
  const part = { ...source, address: source.address + columns.first * 3, width: columns.count };
  const horizontal = (band: Band) => (alongX ? workspace.resampleRows(band, alongX) : band);
  const vertical = (band: Band) => (alongY ? workspace.resampleColumns(band, alongY) : band);
  return workspace.read(verticalFirst ? horizontal(vertical(part)) : vertical(horizontal(part)));
}
