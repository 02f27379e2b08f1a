import { encoded, rowRanges, type TensorSource, type WrittenGgufType } from "../../checkpoint/index.ts";
import {
  aten,
  type BlockType,
  blockLayouts,
  byteWidth,
  type DType,
  dequantize,
  isFloating,
  noGrad,
  releasePages,
  scope,
  type Tensor,
} from "../../torch/index.ts";

/** What a tensor is written as. */
export type WrittenType = DType | WrittenGgufType;

export interface ComparedTensor {
  /** Canonical. */
  readonly name: string;
  readonly dtype: WrittenType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Whether every bit is the source's, after conversion to the type where another is wanted. */
  readonly isEqual: boolean;
  /** From the source's values: what the type takes away. */
  readonly largestDifference: number;
}

/** Holds each tensor of what was written against what was to be written, some rows at a time. */
export const compareWritten = (
  written: TensorSource,
  expected: ReadonlyMap<string, Tensor>,
  typeOf: (name: string, source: Tensor) => WrittenType,
): ComparedTensor[] =>
  Array.from(expected, ([name, source]) => compared(name, source, written, typeOf(name, source)));

/** The element type of safetensors: what is wanted of floating-point tensors, else their own. */
export const safetensorsType =
  (dtype: DType | undefined) =>
  (_: string, source: Tensor): DType =>
    dtype !== undefined && isFloating(source.dtype) ? dtype : source.dtype;

const isBlocks = (type: WrittenType): type is BlockType & WrittenGgufType =>
  Object.hasOwn(blockLayouts, type);
const PLAIN = { F32: "float32", F16: "float16", BF16: "bfloat16" } as const;

function compared(name: string, source: Tensor, written: TensorSource, type: WrittenType): ComparedTensor {
  const { shape, elements } = source;
  const dtype = isBlocks(type)
    ? undefined
    : type in PLAIN
      ? PLAIN[type as keyof typeof PLAIN]
      : (type as DType);
  const { blockElements, blockBytes } = isBlocks(type)
    ? blockLayouts[type]
    : { blockElements: 1, blockBytes: byteWidth[dtype!] };
  const same = { name, dtype: type, shape, bytes: (elements / blockElements) * blockBytes };
  const differs = { ...same, isEqual: false, largestDifference: Number.POSITIVE_INFINITY };
  if (!written.has(name) || String(written.info(name).shape) !== String(shape)) return differs;
  return noGrad(() =>
    scope(() => {
      const width = shape.at(-1) ?? 1;
      const rows = width === 0 ? 0 : elements / width;
      const stored = written.read(name).reshape([rows, width]);
      if (dtype !== undefined && stored.dtype !== dtype) return differs;
      const wanted = source.detach().reshape([rows, width]);
      let [isEqual, largestDifference] = [true, 0];
      for (const [start, end] of rowRanges(rows, width))
        scope(() => {
          const [there, own] = [stored, wanted].map((tensor) => tensor.slice(0, start, end)) as [
            Tensor,
            Tensor,
          ];
          const right = isBlocks(type) ? dequantize(encoded(own, type), type) : own.to(dtype!);
          isEqual &&= aten.equal(bits(there), bits(right));
          if (!isEqual || isBlocks(type) || dtype !== source.dtype)
            largestDifference = Math.max(largestDifference, distance(there, own));
          for (const part of [there, own]) releasePages(part);
        });
      return { ...same, isEqual, largestDifference };
    }),
  );
}

const distance = (a: Tensor, b: Tensor): number => {
  const away = a.to("float32").sub(b.to("float32")).abs().amax().item();
  return Number.isNaN(away) ? Number.POSITIVE_INFINITY : away;
};

const BITS = { 1: "uint8", 2: "int16", 4: "int32", 8: "int64" } as const;

/** Not a number is equal to itself so, and −0 is not 0. */
const bits = (tensor: Tensor): Tensor =>
  tensor.contiguous().viewAs(BITS[byteWidth[tensor.dtype] as keyof typeof BITS]);
