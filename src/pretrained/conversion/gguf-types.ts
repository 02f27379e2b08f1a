import type { WrittenGgufType } from "../../checkpoint/index.ts";
import { blockLayouts, type DType } from "../../torch/index.ts";

/** Types that users ask for; "stored" keeps each matrix's own. */
export const ggufTypes = ["f32", "f16", "bf16", "q8_0", "q4_0"] as const;
export type GgufTypeName = (typeof ggufTypes)[number];

/** What a matrix is to the file: readers have demands of some. */
export type MatrixPlace = "inner" | "output" | "positions" | "patches" | "unused";

/** Of `general.file_type`, as llama.cpp numbers them. */
export const FILE_TYPES: Readonly<Record<GgufTypeName, number>> = {
  f32: 0,
  f16: 1,
  bf16: 32,
  q8_0: 7,
  q4_0: 2,
};

const PLAIN: Readonly<Partial<Record<DType, WrittenGgufType>>> = { float16: "F16", bfloat16: "BF16" };
export const plainType = (dtype: DType): WrittenGgufType => PLAIN[dtype] ?? "F32";

/**
 * The type that a tensor is written in, as llama-quantize chooses it: vectors stay float32, the vocabulary's scores keep more
 * bits than the rest, and rows that no block divides become float16.
 */
export function ggufTypeFor(
  wanted: GgufTypeName | undefined,
  { shape, dtype, place }: { shape: readonly number[]; dtype: DType; place: MatrixPlace },
): WrittenGgufType {
  if (place === "unused") return plainType(dtype);
  if (shape.length < 2 || place === "positions") return "F32";
  const plain = wanted === undefined ? plainType(dtype) : wanted.toUpperCase();
  // Convolutions are computed in float16 or float32.
  if (place === "patches") return plain === "F32" || plain === "BF16" ? "F32" : "F16";
  if (plain === "F32" || plain === "F16" || plain === "BF16") return plain;
  const types =
    plain === "Q4_0" ? (place === "output" ? OUTPUT_IN_4 : (["Q4_0"] as const)) : (["Q8_0"] as const);
  return types.find((type) => shape.at(-1)! % blockLayouts[type].blockElements === 0) ?? "F16";
}

const OUTPUT_IN_4 = ["Q6_K", "Q8_0"] as const;
