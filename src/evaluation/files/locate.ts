import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";

/** Absolute path of the first candidate, relative to the data folder, that exists; undefined if none does. */
export const findFile = (data: string, candidates: readonly string[]): string | undefined =>
  candidates.map((candidate) => resolve(data, candidate)).find(existsSync);

/** The same. @throws LlavaError "data" naming all candidates */
export function locateFile(data: string, candidates: readonly string[]): string {
  const found = findFile(data, candidates);
  if (found !== undefined) return found;
  throw new LlavaError("data", `${resolve(data)}: holds none of ${candidates.join(", ")}`, {
    hint: "Point --data to the folder of the dataset's original files.",
  });
}
