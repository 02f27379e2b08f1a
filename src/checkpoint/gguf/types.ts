/** A tensor type of the GGUF format that is read here; ids, block sizes and layouts as in ggml's type table. */
export type GgufType =
  | "F32"
  | "F16"
  | "BF16"
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K";

export interface GgufTypeLayout {
  readonly type: GgufType;
  /** Elements per block; 1 for plain types. */
  readonly blockElements: number;
  readonly blockBytes: number;
}

export const GGUF_TYPES: ReadonlyMap<number, GgufTypeLayout> = new Map([
  [0, { type: "F32", blockElements: 1, blockBytes: 4 }],
  [1, { type: "F16", blockElements: 1, blockBytes: 2 }],
  [2, { type: "Q4_0", blockElements: 32, blockBytes: 18 }],
  [3, { type: "Q4_1", blockElements: 32, blockBytes: 20 }],
  [6, { type: "Q5_0", blockElements: 32, blockBytes: 22 }],
  [7, { type: "Q5_1", blockElements: 32, blockBytes: 24 }],
  [8, { type: "Q8_0", blockElements: 32, blockBytes: 34 }],
  [12, { type: "Q4_K", blockElements: 256, blockBytes: 144 }],
  [13, { type: "Q5_K", blockElements: 256, blockBytes: 176 }],
  [14, { type: "Q6_K", blockElements: 256, blockBytes: 210 }],
  [30, { type: "BF16", blockElements: 1, blockBytes: 2 }],
]);

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
