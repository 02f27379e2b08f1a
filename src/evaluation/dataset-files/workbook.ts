import { readFile } from "node:fs/promises";
import { readXlsx, writeXlsx } from "hucre/xlsx";
import { LlavaError } from "../../errors.ts";

export type Cell = string | number | boolean | null;

/** The rows of an xlsx file's first sheet, keyed by its first row; numbers stay numbers, empty cells are null. */
export async function readWorkbook(path: string): Promise<Readonly<Record<string, Cell>>[]> {
  let cells: readonly (readonly unknown[])[];
  try {
    cells = (await readXlsx(await readFile(path))).sheets[0]?.rows ?? [];
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

function asCell(value: unknown): Cell {
  if (value === undefined || value === null || value === "") return null;
  return typeof value === "number" || typeof value === "boolean" ? value : String(value);
}

/** The bytes of an xlsx file with one sheet. */
export const writeWorkbook = (
  header: readonly string[],
  rows: readonly (readonly (Cell | undefined)[])[],
): Promise<Uint8Array> =>
  writeXlsx({
    sheets: [{ name: "Sheet1", rows: [header, ...rows].map((row) => row.map((cell) => cell ?? null)) }],
  });
