import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LlavaError } from "../errors.ts";
import type { Override, Recipe, RecipeFields } from "../training/index.ts";

/** @throws LlavaError "config" for a file that cannot be loaded or exports no recipe */
export async function readRecipe(path: string): Promise<RecipeFields> {
  try {
    const module = (await import(pathToFileURL(resolve(path)).href)) as { default?: RecipeFields };
    if (typeof module.default === "object") return module.default;
  } catch (cause) {
    throw new LlavaError("config", `${path} cannot be loaded: ${(cause as Error).message}`, {
      hint: "Give the path of a TypeScript file that exports a recipe, such as those in recipes/.",
      cause,
    });
  }
  throw new LlavaError("config", `${path} exports no recipe`, {
    hint: "Write: export default recipe({ … })",
  });
}

/** A recipe to look at: what only a run needs may be missing. */
export async function resolveToShow(fields: RecipeFields, overrides: readonly Override[]): Promise<Recipe> {
  const { resolveRecipe } = await import("../training/index.ts");
  const unknown = "(given for a run)";
  const { data, output = unknown } = fields;
  return resolveRecipe(
    { ...fields, data: { ...data, rows: data.rows ?? unknown, images: data.images ?? unknown }, output },
    overrides,
  );
}
