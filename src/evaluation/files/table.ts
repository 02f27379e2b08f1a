import { createReadStream } from "node:fs";
import { pipeline } from "node:stream";
import { CsvError, parse } from "csv-parse";
import { LlavaError } from "../../errors.ts";

export interface TableRow {
  readonly values: Readonly<Record<string, string>>;
  /** Where the row ends, counted from 1. */
  readonly line: number;
}

/** The rows of a CSV file, or of a TSV file by its name, keyed by the first row. @throws LlavaError "data" naming file and line */
export async function* readTable(path: string): AsyncGenerator<TableRow> {
  const parser = parse({
    bom: true,
    columns: true,
    delimiter: path.endsWith(".tsv") ? "\t" : ",",
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
