import { readSheet } from "read-excel-file/node";
import writeWorkbookFile from "write-excel-file/node";
import { LlavaError } from "../../errors.ts";

export type Cell = string | number | boolean | null;

/** The rows of an xlsx file's first sheet, keyed by its first row; numbers stay numbers, empty cells are null. */
export async function readWorkbook(path: string): Promise<Readonly<Record<string, Cell>>[]> {
  let cells: readonly (readonly unknown[])[];
  try {
    cells = await readSheet(path, { trim: false });
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read as xlsx: ${(cause as Error).message}`, {
      hint: "Check the path, and that the file is a complete Excel workbook.",
      cause,
    });
  }
  const [header = [], ...rows] = cells;
  const names = header.map(String);
  return rows.map((row) => Object.fromEntries(names.map((name, column) => [name, asCell(row[column])])));
}

const asCell = (value: unknown): Cell =>
  value === undefined || value === null
    ? null
    : typeof value === "number" || typeof value === "boolean"
      ? value
      : String(value);

/** The bytes of an xlsx file with one sheet. */
export function writeWorkbook(
  header: readonly string[],
  rows: Iterable<readonly (Cell | undefined)[]>,
): Promise<Uint8Array> {
  const sheet = [[...header], ...[...rows].map((row) => row.map((cell) => cell ?? null))];
  return writeWorkbookFile(sheet).toBuffer();
}
