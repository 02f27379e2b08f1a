import { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues } from "../files/index.ts";

/** Bounded, so that no product of sizes overflows and no file makes a model without end. */
export const count = z
  .int()
  .positive()
  .max(2 ** 24)
  .nullish();
export const smallCount = z
  .int()
  .positive()
  .max(2 ** 12)
  .nullish();
export const positive = z.number().positive().nullish();
export const flag = z.boolean().nullish();

/** `json` after `schema`; what does not fit is a LlavaError("config") that names each field. Unknown fields are dropped. */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  json: unknown,
  where: string,
): z.infer<Schema> {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  throw new LlavaError("config", `${where}: ${describeIssues(result.error)}`, {
    hint: "Compare config.json with the one that the checkpoint was published with.",
  });
}

/** Names under which checkpoints refer to activation functions. */
const ACTIVATIONS = {
  silu: "silu",
  swish: "silu",
  relu: "relu",
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  quick_gelu: "quick_gelu",
} as const;

export function activation<Name extends (typeof ACTIVATIONS)[keyof typeof ACTIVATIONS]>(
  stored: string,
  allowed: readonly Name[],
  where: string,
): Name {
  const name = Object.hasOwn(ACTIVATIONS, stored)
    ? ACTIVATIONS[stored as keyof typeof ACTIVATIONS]
    : undefined;
  const found = allowed.find((candidate) => candidate === name);
  if (found !== undefined) return found;
  throw new LlavaError("config", `${where}: activation "${stored}"; known here are ${allowed.join(", ")}`);
}
