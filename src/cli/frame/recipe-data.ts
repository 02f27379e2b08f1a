import { existsSync } from "node:fs";
import type { Recipe } from "../../training/index.ts";
import { GIVEN_LATER } from "./recipe-file.ts";

/** What a recipe learns from, as far as the names of its files tell. */
export interface RecipeData {
  readonly files: number;
  /** Rows by what their mixture says, before strategies choose among them; and files that it says nothing of. */
  readonly statedRows: number;
  readonly uncounted: number;
  /** Files that are not here. */
  readonly missing: readonly string[];
}

/** Undefined where the rows are left to the command line. @throws LlavaError "config" for a mixture that is wrong */
export async function recipeData({ data }: Recipe): Promise<RecipeData | undefined> {
  if (data.rows === GIVEN_LATER) return undefined;
  const { namedDatasets } = await import("../../data/index.ts");
  const datasets = await namedDatasets(data.rows);
  return {
    files: datasets.length,
    statedRows: datasets.reduce((sum, { statedRows = 0 }) => sum + statedRows, 0),
    uncounted: datasets.filter(({ statedRows }) => statedRows === undefined).length,
    missing: datasets.map(({ path }) => path).filter((path) => !existsSync(path)),
  };
}

const LISTED = 3;

/** As lines for people. */
export function renderData(data: RecipeData | undefined): string[] {
  if (data === undefined) return [];
  const { files, statedRows, uncounted, missing } = data;
  const without = uncounted === 0 ? "" : `, which leave out ${uncounted}`;
  const rows =
    statedRows === 0 ? "" : `, ${statedRows.toLocaleString("en-US")} rows by the mixture's counts${without}`;
  const named = missing.slice(0, LISTED).join(", ");
  const more = missing.length > LISTED ? ` and ${missing.length - LISTED} others` : "";
  const lacks = missing.length === 0 ? "all here" : `not here: ${named}${more}`;
  return ["", `data: ${files} ${files === 1 ? "file" : "files"}${rows}; ${lacks}`];
}
