import type { Recipe } from "./recipe.ts";

/**
 * What of a recipe goes into the files of a trained model: all that decides the result, with the names of files and
 * folders but not the places where they lay on the machine, and without the folders that a run only writes to.
 */
export function portableRecipe({ output: _, features, ...recipe }: Recipe): Record<string, unknown> {
  const { cache: __, ...computed } = features;
  const portable = withoutPlaces({ ...recipe, features: computed }) as Record<string, object>;
  const { answerEnd } = recipe.data; // text, whatever it looks like
  return { ...portable, data: { ...portable["data"], ...(answerEnd !== undefined && { answerEnd }) } };
}

function withoutPlaces(value: unknown): unknown {
  if (typeof value === "string") return withoutPlace(value);
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, withoutPlaces(inside)]));
}

const placed = /^(?:file:|[/\\~]|[A-Za-z]:[/\\]|\.\.[/\\])|[/\\]\.\.(?:[/\\]|$)/;

/**
 * A path that begins at a root, at a home or above the working folder, as its last part; everything else, such as a name
 * of the hub or a path inside the working folder, as it is. Alternatives in {braces} are paths of their own.
 */
export function withoutPlace(path: string): string {
  const [, before, alternatives, after] = /^([^{]*)\{(.*)\}([^}]*)$/.exec(path) ?? [];
  if (before !== undefined && alternatives !== undefined)
    return `${placed.test(before) ? lastPart(before) : before}{${alternatives.split(",").map(withoutPlace).join(",")}}${after}`;
  return placed.test(path) ? lastPart(path.replace(/[/\\]+$/, "")) : path;
}

const lastPart = (path: string): string =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
