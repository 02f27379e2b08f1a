import { openCheckpoint, type TensorSource } from "../../checkpoint/index.ts";
import { ggufDialect } from "../../models/index.ts";
import { aten, byteWidth, type DType, isFloating, noGrad, scope, type Tensor } from "../../torch/index.ts";

export interface ComparedTensor {
  /** Canonical. */
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Whether every bit is the source's, after conversion to the element type where one is wanted. */
  readonly isEqual: boolean;
  /** From the source's values: what the element type takes away. */
  readonly largestDifference: number;
}

/** Reads a written folder back and holds each tensor against what was to be written. */
export function compareWritten(
  folder: string,
  expected: ReadonlyMap<string, Tensor>,
  dtype: DType | undefined,
): ComparedTensor[] {
  using written = openCheckpoint(folder, ggufDialect);
  return Array.from(expected, ([name, source]) => compared(name, source, written, dtype));
}

function compared(
  name: string,
  source: Tensor,
  written: TensorSource,
  dtype: DType | undefined,
): ComparedTensor {
  const type = dtype !== undefined && isFloating(source.dtype) ? dtype : source.dtype;
  const { shape, elements } = source;
  const same = { name, dtype: type, shape, bytes: elements * byteWidth[type] };
  if (!written.has(name) || String(written.info(name).shape) !== String(shape))
    return { ...same, isEqual: false, largestDifference: Number.POSITIVE_INFINITY };
  return noGrad(() =>
    scope(() => {
      const stored = written.read(name);
      const wanted = source.to(type);
      const isEqual = stored.dtype === type && aten.equal(bits(stored), bits(wanted));
      if (isEqual && type === source.dtype) return { ...same, isEqual, largestDifference: 0 };
      const difference = stored.to("float32").sub(source.to("float32")).abs().amax().item();
      return { ...same, isEqual, largestDifference: difference };
    }),
  );
}

const BITS = { 1: "uint8", 2: "int16", 4: "int32", 8: "int64" } as const;

/** Not a number is equal to itself so, and −0 is not 0. */
const bits = (tensor: Tensor): Tensor =>
  tensor.contiguous().viewAs(BITS[byteWidth[tensor.dtype] as keyof typeof BITS]);
