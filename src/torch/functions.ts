import { native } from "./binding.ts";
import { byteWidth, codeOf, type DType } from "./dtype.ts";
import { explain } from "./errors.ts";
import type { Generator } from "./generator.ts";
import { adopt } from "./scope.ts";
import { aten, type Tensor } from "./tensor.ts";

interface Placement {
  dtype?: DType;
  device?: string;
}

/** Copies a typed array. Without `shape` the result has one dimension. */
export function fromTyped(
  data: ArrayBufferView,
  options: { dtype: DType; shape?: readonly number[] },
): Tensor {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const shape = options.shape ?? [data.byteLength / byteWidth[options.dtype]];
  try {
    return adopt(native.fromBytes(bytes, shape, codeOf(options.dtype)));
  } catch (error) {
    throw explain(error, "fromTyped", [shape, options.dtype]);
  }
}

/** A float32 tensor (or another dtype) of plain numbers. */
export function tensor(
  data: readonly number[],
  options: { shape?: readonly number[]; dtype?: DType } = {},
): Tensor {
  const { dtype = "float32", shape = [data.length] } = options;
  if (dtype === "int64")
    return fromTyped(
      BigInt64Array.from(data, (value) => BigInt(value)),
      { dtype, shape },
    );
  const wide = fromTyped(dtype === "float64" ? Float64Array.from(data) : Float32Array.from(data), {
    dtype: dtype === "float64" ? "float64" : "float32",
    shape,
  });
  if (wide.dtype === dtype) return wide;
  const result = wide.to(dtype);
  wide.dispose();
  return result;
}

/** An int64 vector (or any shape): token ids, positions, labels. */
export const longTensor = (data: readonly number[], shape?: readonly number[]): Tensor =>
  tensor(data, { dtype: "int64", ...(shape && { shape }) });

const placed = (options: Placement) => [options.dtype ?? "float32", undefined, options.device] as const;

export const empty = (shape: readonly number[], options: Placement = {}): Tensor =>
  aten.empty(shape, ...placed(options));
export const full = (shape: readonly number[], value: number, options: Placement = {}): Tensor =>
  aten.full(shape, value, ...placed(options));
export const zeros = (shape: readonly number[], options: Placement = {}): Tensor => full(shape, 0, options);
export const ones = (shape: readonly number[], options: Placement = {}): Tensor => full(shape, 1, options);
/** start, start + step, … below end. */
export const arange = (start: number, end: number, options: Placement & { step?: number } = {}): Tensor =>
  aten.arange(start, end, options.step ?? 1, options.dtype ?? "int64", undefined, options.device);
export const randn = (shape: readonly number[], generator: Generator, options: Placement = {}): Tensor =>
  aten.randn(shape, generator, ...placed(options));

export const cat = (tensors: readonly Tensor[], dim = 0): Tensor => aten.cat(tensors, dim);
/** Rows [N, …] through `apply`, at most `size` of them at once → its results in a row. */
export function inChunks(rows: Tensor, size: number, apply: (chunk: Tensor) => Tensor): Tensor {
  const count = rows.size(0);
  if (count <= size) return apply(rows);
  const starts = Array.from({ length: Math.ceil(count / size) }, (_, chunk) => chunk * size);
  return cat(starts.map((start) => apply(rows.slice(0, start, start + size))));
}
export const stack = (tensors: readonly Tensor[], dim = 0): Tensor => aten.stack(tensors, dim);

export const softmax = (input: Tensor, dim: number): Tensor => aten.softmax(input, dim);
/** weight [N, D], ids [...] → [..., D] */
export const embedding = (weight: Tensor, ids: Tensor): Tensor => aten.embedding(weight, ids);
let areRowsApart = false;

/** Whether this is inside of `rowsApart`. */
export const isRowsApart = (): boolean => areRowsApart;

/**
 * Runs something whose products of rows with weights give each row the same bits, whatever rows are beside it, on CPUs with
 * AVX2 or NEON and in 16 or 32 bits; elsewhere libtorch's own. Nothing in it is recorded for gradients.
 */
export function rowsApart<T>(run: () => T): T {
  const before = areRowsApart;
  areRowsApart = true;
  try {
    return run();
  } finally {
    areRowsApart = before;
  }
}

/** x [..., in] · weightᵀ [in, out] + bias */
export const linear = (input: Tensor, weight: Tensor, bias?: Tensor): Tensor =>
  areRowsApart && aten.multipliesRowsApart(input)
    ? aten.linearOfRows(input, weight, bias)
    : aten.linear(input, weight, bias);

export interface AttentionOptions {
  /** Additive (float) or boolean (true = attend) mask, broadcast to [B, H, Tq, Tk]. */
  mask?: Tensor | undefined;
  causal?: boolean;
  scale?: number;
  /** Fewer key/value heads than query heads: each serves a group. */
  groupedQuery?: boolean;
}

/** softmax(q·kᵀ·scale + mask)·v; query [B, H, Tq, d], key and value [B, Hkv, Tk, d]. */
export const scaledDotProductAttention = (
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor =>
  aten.scaledDotProductAttention(
    query,
    key,
    value,
    options.mask,
    0,
    options.causal ?? false,
    options.scale,
    options.groupedQuery ?? false,
  );

/** −log p(target) of logits [N, V] at int64 targets [N], −100 ignored; "mean" over the others, or their "sum". */
export const crossEntropy = (
  logits: Tensor,
  targets: Tensor,
  reduction: "mean" | "sum" | "none" = "mean",
): Tensor => aten.crossEntropy(logits, targets, undefined, { none: 0, mean: 1, sum: 2 }[reduction]);
