import { type ComputeDType, fastDType } from "../../torch/index.ts";
import type { Recipe } from "../recipe/recipe.ts";

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
