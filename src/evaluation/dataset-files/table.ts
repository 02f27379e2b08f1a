import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { parse as parseRows } from "csv-parse/sync";
import { LlavaError } from "../../errors.ts";
import { readLines } from "../../files/index.ts";

export interface TableRow {
  readonly values: Readonly<Record<string, string>>;
  /** Where the row ends, counted from 1. */
  readonly line: number;
}

/** The rows of a CSV file, or of a TSV file where its first row has tabs, keyed by that row. @throws LlavaError "data" naming file and line */
export async function* readTable(path: string): AsyncGenerator<TableRow> {
  const parser = parse({
    bom: true,
    columns: true,
    delimiter: await delimiterOf(path),
    info: true,
    skip_empty_lines: true,
  });
  const rows = pipeline(createReadStream(path), parser, () => {});
  try {
    for await (const row of rows) {
      const { record, info } = row as { record: Record<string, string>; info: { lines: number } };
      yield { values: record, line: info.lines };
    }
  } catch (cause) {
    if (cause instanceof LlavaError || !(cause instanceof Error)) throw cause;
    const where = cause instanceof CsvError ? `${path}:${String(cause["lines"])}` : path;
    throw new LlavaError("data", `${where}: cannot be read as a table: ${cause.message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

/** Names of the columns of a CSV or TSV file. @throws LlavaError "data" for a file that is no table */
export async function tableColumns(path: string): Promise<string[]> {
  for await (const { text } of readLines(path)) {
    const [columns = []] = parseRows(text, {
      bom: true,
      delimiter: text.includes("\t") ? "\t" : ",",
      relax_quotes: true,
    });
    return columns;
  }
  return [];
}

async function delimiterOf(path: string): Promise<string> {
  for await (const { text } of readLines(path)) return text.includes("\t") ? "\t" : ",";
  return ",";
}
