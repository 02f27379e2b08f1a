import { existsSync, statSync } from "node:fs";
import { extname, resolve } from "node:path";
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

/** The same. @throws LlavaError "data" naming all candidates */
export function locateFile(data: string, candidates: readonly string[]): string {
  const found = findFile(data, candidates);
  if (found !== undefined) return found;
  throw new LlavaError("data", `${resolve(data)}: holds none of ${candidates.join(", ")}`, {
    hint: "Point --data to the folder of the dataset's original files.",
  });
}
