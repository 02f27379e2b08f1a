import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { LlavaError } from "../../errors.ts";
import { readJsonFile } from "../../files/index.ts";
import { loadableRecipe, ownOrShipped } from "../../package.ts";
import type { Override, Recipe, RecipeFields } from "../../training/index.ts";

/**
 * The recipe that a TypeScript file exports, or that a run wrote as recipe.json.
 * @throws LlavaError "config" for a file that cannot be loaded or holds no recipe
 */
export async function readRecipe(path: string): Promise<RecipeFields> {
  if (/\.json$/i.test(path)) return await readWrittenRecipe(path);
  try {
    const module = (await import(pathToFileURL(loadableRecipe(resolve(ownOrShipped(path)))).href)) as {
      default?: RecipeFields;
    };
    if (typeof module.default === "object") return module.default;
  } catch (cause) {
    throw new LlavaError("config", `${path} cannot be loaded: ${(cause as Error).message}`, {
      hint: "Give a TypeScript file that exports a recipe, such as those in recipes/, or the recipe.json of a run.",
      cause,
    });
  }
  throw new LlavaError("config", `${path} exports no recipe`, {
    hint: "Write: export default recipe({ … })",
  });
}

/** What does not belong to a recipe is found when it is resolved. */
async function readWrittenRecipe(path: string): Promise<RecipeFields> {
  try {
    const fields = await readJsonFile(path);
    if (fields !== undefined) return fields as unknown as RecipeFields;
  } catch (cause) {
    throw new LlavaError("config", (cause as Error).message, {
      hint: "Give the recipe.json that a run wrote into its output folder.",
      cause,
    });
  }
  throw new LlavaError("config", `${path} does not exist`, {
    hint: "Give the recipe.json that a run wrote into its output folder.",
  });
}

/** Stands for paths that a recipe leaves to the command line, where it is only shown. */
export const GIVEN_LATER = "(given for a run)";

/** A recipe to look at: what only a run needs may be missing. */
export async function resolveToShow(fields: RecipeFields, overrides: readonly Override[]): Promise<Recipe> {
  const { resolveRecipe } = await import("../../training/index.ts");
  const unknown = GIVEN_LATER;
  const { data, output = unknown } = fields;
  return resolveRecipe(
    { ...fields, data: { ...data, rows: data.rows ?? unknown, images: data.images ?? unknown }, output },
    overrides,
  );
}
