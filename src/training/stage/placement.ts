import { LlavaError } from "../../errors.ts";
import { type ComputeDType, fastDType } from "../../torch/index.ts";
import type { Recipe, TrainablePart } from "../recipe/recipe.ts";

/** The type that a recipe computes in, and why. A run that `begun` tells of goes on in what it began with. */
export function computing({ dtype, device }: Recipe, begun?: Pick<Recipe, "dtype">): ComputeDType {
  if (dtype !== "auto") return { dtype, reason: "the recipe says so" };
  const fast = fastDType(device);
  if (begun === undefined || begun.dtype === "auto" || begun.dtype === fast.dtype) return fast;
  return {
    dtype: begun.dtype,
    reason: `the run began with it; a new one would take ${fast.dtype}: ${fast.reason}`,
  };
}

/** The recipe with the type that it computes in by name, as runs record it. */
export const settled = <R extends Recipe>(recipe: R, begun?: Pick<Recipe, "dtype">): R => ({
  ...recipe,
  dtype: computing(recipe, begun).dtype,
});

/** As a line for people. */
export const renderComputing = ({ dtype, reason }: ComputeDType): string => `computes in ${dtype}: ${reason}`;

/** How a part of the model is kept and computed. */
export interface Placement {
  readonly learns: boolean;
  /** Element type of its weights. */
  readonly stored: "float32" | "bfloat16";
  /** What its layers' matrices are kept in instead. */
  readonly matrices: Recipe["frozenWeights"];
  /** Element type of its activations. */
  readonly computed: "float32" | "bfloat16";
  readonly device: string;
}

/**
 * How a recipe keeps a part of the model, or adapters in it. What learns is kept in float32, as a projector always is, since it
 * is small. `isPrecise`: the vision tower is one that computes in float32 whatever the recipe says.
 * @throws LlavaError "config" for weights that the device does not multiply
 */
export function placement(
  recipe: Recipe,
  part: TrainablePart | "adapters",
  { isPrecise = false }: { readonly isPrecise?: boolean } = {},
): Placement {
  const { train, frozenWeights, device } = recipe;
  if (frozenWeights === "int4" && !device.startsWith("cpu"))
    throw new LlavaError("config", `frozenWeights "int4" are multiplied on the CPU, not on ${device}`, {
      hint: 'Set frozenWeights to "int8", or device to "cpu".',
    });
  const { dtype } = computing(recipe);
  const learns = part === "adapters" || train.includes(part);
  const computed = part === "visionTower" && isPrecise ? "float32" : dtype;
  const stored = learns || part === "projector" ? "float32" : computed;
  const matrices = part === "languageModel" && !learns ? frozenWeights : undefined;
  return { learns, stored, matrices, computed, device };
}
