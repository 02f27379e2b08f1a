import { blockLayouts, type WrittenBlockType } from "../torch/index.ts";

/** About so many bits a number, in blocks that are made as weights are read. */
export type FewBits = "int8" | "int4";

/**
 * The blocks that a matrix with rows of `width` is kept in; undefined for rows that no block divides. The vocabulary's scores
 * (`isOutput`), to which rounding does most, keep 6 bits of int4's.
 */
export function blockType(weights: FewBits, width: number, isOutput = false): WrittenBlockType | undefined {
  const types = weights === "int8" ? (["Q8_0"] as const) : isOutput ? OUTPUT_IN_4 : LAYERS_IN_4;
  return types.find((type) => width % blockLayouts[type].blockElements === 0);
}
const LAYERS_IN_4 = ["Q4_K", "Q4_0"] as const;
const OUTPUT_IN_4 = ["Q6_K", "Q8_0"] as const;

/** Bytes of a matrix in the blocks that it is kept in, or else in an element type of so many bytes. */
export function bytesInBlocks(
  [rows, width]: readonly [number, number],
  weights: FewBits,
  { isOutput = false, otherwise }: { readonly isOutput?: boolean; readonly otherwise: number },
): number {
  const type = blockType(weights, width, isOutput);
  if (type === undefined) return rows * width * otherwise;
  const { blockElements, blockBytes } = blockLayouts[type];
  return rows * (width / blockElements) * blockBytes;
}
