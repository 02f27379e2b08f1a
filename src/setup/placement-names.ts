import { LlavaError } from "../errors.ts";

/** Element types that weights can be loaded as. */
export const weightTypes = ["float32", "bfloat16", "float16"] as const;
export type WeightType = (typeof weightTypes)[number];

/** How the language model's matrices are kept: as in the file, or in about so many bits a number. */
export const keptWeights = ["stored", "bf16", "int8", "int4"] as const;
export type KeptWeights = (typeof keptWeights)[number];

/** Other libraries' names of them. */
const aliases: Readonly<Record<string, WeightType>> = {
  fp32: "float32",
  float: "float32",
  bf16: "bfloat16",
  fp16: "float16",
  half: "float16",
};

/**
 * The element type of a name as people write it: "fp16", "half", "torch.bfloat16".
 * @throws LlavaError "usage" naming the types there are
 */
export function weightType(name: string): WeightType {
  const plain = String(name)
    .toLowerCase()
    .replace(/^torch\./, "");
  const type = Object.hasOwn(aliases, plain) ? aliases[plain] : weightTypes.find((known) => known === plain);
  if (type !== undefined) return type;
  throw new LlavaError("usage", `unknown dtype "${name}"; weights are ${weightTypes.join(", ")}`, {
    hint: `Use one of them, or ${Object.keys(aliases).join(", ")}.`,
  });
}

/** "cpu", "cuda" or "cuda:N", with the number N. */
export const devicePattern = /^(?:cpu|cuda(?::(\d+))?)$/;
export const deviceHint = "Use cpu, cuda or cuda:N.";
