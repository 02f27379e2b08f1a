/**
 * What the package offers as `llava/training`. Importing it loads nothing native, so that a recipe can be read on any
 * machine; `runRecipe` does.
 *
 *     import { recipe } from "llava/training";
 *     export default recipe({ model: "llava-smol-135m", data: { rows: "train.json", images: "images" } });
 */
import type { Recipe } from "./recipe/recipe.ts";
import type { RunOptions, RunResult } from "./run.ts";

export { type Override, parseOverrides } from "./recipe/overrides.ts";
export { type Recipe, type RecipeFields, recipe, resolveRecipe } from "./recipe/recipe.ts";
export type { RunOptions, RunResult } from "./run.ts";
export type { Callback, Run, StepMetrics } from "./trainer.ts";

/**
 * Trains what a recipe says. The output folder receives recipe.json, log.jsonl, TensorBoard events, checkpoints/ and the result.
 * @throws LlavaError "setup" without libtorch and its addon, "config", "data" or "checkpoint" for what the recipe names
 */
export async function runRecipe(recipe: Recipe, options: RunOptions): Promise<RunResult> {
  return (await import("./run.ts")).runRecipe(recipe, options);
}
