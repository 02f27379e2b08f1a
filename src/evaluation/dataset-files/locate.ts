import { existsSync, readdirSync, statSync } from "node:fs";
import { extname, join, resolve, sep } from "node:path";
import { LlavaError } from "../../errors.ts";

/**
 * Absolute path of the first candidate, relative to the data folder, that exists; undefined if none does. `data` may
 * also be a file of a candidate's kind, and is then that file.
 */
export function findFile(data: string, candidates: readonly string[]): string | undefined {
  const kind = extname(data);
  if (kind !== "" && candidates.some((candidate) => extname(candidate) === kind) && isFile(data))
    return resolve(data);
  return candidates.map((candidate) => resolve(data, candidate)).find((path) => existsSync(path));
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** Candidates for a name: in each of the folders, "" or with a slash at their ends, that a dataset comes in. */
export const within =
  (folders: readonly string[]) =>
  (name: string): string[] =>
    folders.map((folder) => folder + name);

/** The first folder of images among the candidates; the first of them where none exists, as for scoring alone. */
export const imageFolder = (data: string, candidates: readonly string[]): string =>
  candidates.map((candidate) => resolve(data, candidate)).find((path) => existsSync(path)) ??
  resolve(data, candidates[0]!);

/** How deep below the data folder original files are looked for. */
const depth = 3;

/** A file below the data folder whose path ends like a candidate, the first candidate that exactly one does; else undefined. */
export function findNested(data: string, candidates: readonly string[]): string | undefined {
  if (!statSync(data, { throwIfNoEntry: false })?.isDirectory()) return undefined;
  const below = pathsBelow(resolve(data), depth);
  for (const candidate of candidates) {
    const found = below.filter((path) => path.endsWith(`${sep}${candidate}`));
    if (found.length === 1) return found[0];
  }
  return undefined;
}

function pathsBelow(folder: string, levels: number): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() && levels > 1 ? [path, ...pathsBelow(path, levels - 1)] : [path];
  });
}

/** The same, also below the folder where the name is only once. @throws LlavaError "data" naming all candidates */
export function locateFile(data: string, candidates: readonly string[]): string {
  const found = findFile(data, candidates) ?? findNested(data, candidates);
  if (found !== undefined) return found;
  throw new LlavaError("data", `${resolve(data)}: holds none of ${candidates.join(", ")}`, {
    hint: "Point --data to the folder of the dataset's original files.",
  });
}
