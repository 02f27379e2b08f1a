import { resolve } from "node:path";
import { LlavaError } from "../../errors.ts";
import { findFile, findNested } from "./locate.ts";
import { describeTables, findTable, type TableFiles, type TableLayout } from "./question-table.ts";

/** Where a benchmark's questions are: in a file of the original layout, or in a table that others made of it. */
export type QuestionSource = { readonly path: string } | { readonly table: TableFiles };

/**
 * The first of the original files that exists, else a table of one of the layouts.
 * @throws LlavaError "data" naming all candidates, and the columns of the tables that are there instead
 */
export async function locateQuestions(
  data: string,
  split: string,
  candidates: readonly string[],
  layouts: readonly TableLayout[],
): Promise<QuestionSource> {
  const path = findFile(data, candidates) ?? findNested(data, candidates);
  if (path !== undefined) return { path };
  const table = await findTable(data, split, layouts);
  if (table !== undefined) return { table };
  const wanted = layouts.map(({ columns }) => columns.join(", ")).join("; or ");
  const found = await describeTables(data);
  const instead = found === "" ? "" : `; ${found}`;
  throw new LlavaError("data", `${resolve(data)}: holds none of ${candidates.join(", ")}${instead}`, {
    hint: `Point --data to the folder of the dataset's original files, or to a table (parquet, TSV) with the columns ${wanted}.`,
  });
}
