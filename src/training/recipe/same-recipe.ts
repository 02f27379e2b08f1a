import { LlavaError } from "../../errors.ts";
import { objectiveOf, type Recipe } from "./recipe.ts";

/** These, and what is inside, may change between the parts of a run without changing what it learns from a step. */
const incidental = [
  "output",
  "checkpoint",
  "evaluation",
  "guards",
  "activationCheckpointing",
  "data.workers",
  "sharding",
  "shardingGroup",
];

/**
 * Compares the recipe that a checkpoint was written by with the one that is to go on from it.
 * @throws LlavaError "config" naming the first field that differs, with both values
 */
export function requireSameRecipe(saved: Recipe, wanted: Recipe, output: string): void {
  const comparable = (recipe: Recipe) => leaves({ ...recipe, objective: objectiveOf(recipe) });
  const before = comparable(saved);
  const now = comparable(wanted);
  for (const path of new Set([...before.keys(), ...now.keys()])) {
    const [was, is] = [before.get(path), now.get(path)];
    if (was === is || incidental.some((field) => path === field || path.startsWith(`${field}.`))) continue;
    throw new LlavaError(
      "config",
      `${output} was started with ${path} ${was ?? "left out"}, not ${is ?? "left out"}`,
      { hint: "Resume with the recipe of the run, or start another one in a new folder." },
    );
  }
}

/** Values as JSON by their dotted paths; lists are values. */
function leaves(value: object, prefix = ""): Map<string, string> {
  return new Map(
    Object.entries(value).flatMap(([name, inside]): [string, string][] => {
      if (inside === undefined) return [];
      if (typeof inside === "object" && inside !== null && !Array.isArray(inside))
        return [...leaves(inside, `${prefix}${name}.`)];
      return [[prefix + name, JSON.stringify(inside)]];
    }),
  );
}
