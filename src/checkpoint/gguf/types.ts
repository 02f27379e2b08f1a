import { type BlockType, blockLayouts } from "../../torch/index.ts";

/** A tensor type of the GGUF format that is read here; ids, block sizes and layouts as in ggml's type table. */
export type GgufType = "F32" | "F16" | "BF16" | BlockType;

export interface GgufTypeLayout {
  readonly type: GgufType;
  /** Elements per block; 1 for plain types. */
  readonly blockElements: number;
  readonly blockBytes: number;
}

export const GGUF_TYPES: ReadonlyMap<number, GgufTypeLayout> = new Map([
  [0, { type: "F32", blockElements: 1, blockBytes: 4 }],
  [1, { type: "F16", blockElements: 1, blockBytes: 2 }],
  [2, { type: "Q4_0", ...blockLayouts.Q4_0 }],
  [3, { type: "Q4_1", ...blockLayouts.Q4_1 }],
  [6, { type: "Q5_0", ...blockLayouts.Q5_0 }],
  [7, { type: "Q5_1", ...blockLayouts.Q5_1 }],
  [8, { type: "Q8_0", ...blockLayouts.Q8_0 }],
  [12, { type: "Q4_K", ...blockLayouts.Q4_K }],
  [13, { type: "Q5_K", ...blockLayouts.Q5_K }],
  [14, { type: "Q6_K", ...blockLayouts.Q6_K }],
  [30, { type: "BF16", blockElements: 1, blockBytes: 2 }],
]);

const IDS: ReadonlyMap<GgufType, number> = new Map(Array.from(GGUF_TYPES, ([id, { type }]) => [type, id]));

/** What files call a type, and its blocks. */
export function ggufTypeOf(type: GgufType): { readonly id: number; readonly layout: GgufTypeLayout } {
  const id = IDS.get(type)!;
  return { id, layout: GGUF_TYPES.get(id)! };
}

/** Names of the types that exist but are not read, for the message that says so. */
export const UNREAD_GGUF_TYPES: Readonly<Record<number, string>> = {
  9: "Q8_1",
  10: "Q2_K",
  11: "Q3_K",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  24: "I8",
  25: "I16",
  26: "I32",
  27: "I64",
  28: "F64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};
