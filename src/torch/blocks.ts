import type { DType } from "./dtype.ts";
import { inChunks, isRowsApart } from "./functions.ts";
import { aten, type Tensor } from "./tensor.ts";

/**
 * Weights in blocks: each holds some whole numbers of a row and their own scales. Names, sizes and layouts are ggml's, so
 * that a GGUF file's tensors are multiplied as they lie in it.
 */
export const blockLayouts = {
  Q8_0: { blockElements: 32, blockBytes: 34 },
  Q4_0: { blockElements: 32, blockBytes: 18 },
  Q4_1: { blockElements: 32, blockBytes: 20 },
  Q5_0: { blockElements: 32, blockBytes: 22 },
  Q5_1: { blockElements: 32, blockBytes: 24 },
  Q4_K: { blockElements: 256, blockBytes: 144 },
  Q5_K: { blockElements: 256, blockBytes: 176 },
  Q6_K: { blockElements: 256, blockBytes: 210 },
} as const;

export type BlockType = keyof typeof blockLayouts;

/** A matrix in blocks: [rows, bytes], uint8. */
export interface Blocks {
  readonly type: BlockType;
  readonly blocks: Tensor;
}

/** The types that `quantize` writes. */
export type WrittenBlockType = "Q8_0" | "Q4_0" | "Q4_K" | "Q6_K";

/**
 * x [..., in] · Wᵀ + bias, of a W [out, in] whose rows lie in `blocks` [out, bytes]: x [..., out], on the CPU. Rows of x
 * are rounded to 8 bits, each stretch of 32 or 256 in steps of its own; those whose gradients are recorded, and from 32 on where
 * the processor multiplies bfloat16, are multiplied in floating point. The gradient of x is that of the product with the decoded W.
 */
export function quantizedLinear(input: Tensor, blocks: Tensor, type: BlockType, bias?: Tensor): Tensor {
  const multiply = (rows: Tensor) => aten.quantizedLinear(rows, blocks, type, bias);
  if (!isRowsApart()) return multiply(input);
  const { shape } = input;
  return inChunks(input.reshape([-1, shape.at(-1)!]), FEW_ROWS, multiply).reshape([
    ...shape.slice(0, -1),
    -1,
  ]);
}

/** From 32 rows on other kernels, which add up in another order, are faster. */
const FEW_ROWS = 31;

/** Blocks [n, bytes] as numbers [n, width]: ggml's values in float32, rounded once to `dtype`. */
export const dequantize = (blocks: Tensor, type: BlockType, dtype: DType = "float32"): Tensor =>
  aten.dequantize(blocks, type, dtype);

/** Numbers [n, width] as blocks [n, bytes], bit for bit those of ggml's reference code. */
export const quantize = (values: Tensor, type: WrittenBlockType): Tensor => aten.quantize(values, type);
