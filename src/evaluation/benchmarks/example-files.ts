import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { SchemaElement } from "hyparquet";
import { parquetWriteBuffer } from "hyparquet-writer";

/** An embedded image as datasets keep it in parquet files. Tests only compare prompts, so four bytes do. */
export const embedded = { bytes: new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), path: "one.jpg" };

/** Writes a file of a made-up dataset, with the folders above it. */
export async function writeExampleFile(
  data: string,
  path: string,
  content: string | Uint8Array,
): Promise<void> {
  const file = join(data, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

export const jsonLines = (rows: readonly unknown[]): string =>
  rows.map((row) => `${JSON.stringify(row)}\n`).join("");

type Cell = string | number | boolean | null | typeof embedded | readonly string[] | readonly number[];

/** The bytes of a parquet file; columns and their types are those of the first row. */
export function parquet(rows: readonly Readonly<Record<string, Cell>>[]): Uint8Array {
  const names = Object.keys(rows[0]!);
  const text = { type: "BYTE_ARRAY", converted_type: "UTF8", repetition_type: "OPTIONAL" } as const;
  const fields = names.flatMap((name): SchemaElement[] => {
    const cell = rows[0]![name];
    if (Array.isArray(cell))
      return [
        { name, repetition_type: "OPTIONAL", num_children: 1, converted_type: "LIST" },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        typeof cell[0] === "number"
          ? { name: "element", type: "DOUBLE", repetition_type: "OPTIONAL" }
          : { name: "element", ...text },
      ];
    if (typeof cell === "object" && cell !== null)
      return [
        { name, repetition_type: "OPTIONAL", num_children: 2 },
        { name: "bytes", type: "BYTE_ARRAY", repetition_type: "OPTIONAL" },
        { name: "path", ...text },
      ];
    if (typeof cell === "number") return [{ name, type: "DOUBLE", repetition_type: "OPTIONAL" }];
    return [{ name, ...text }];
  });
  const columnData = names.map((name) => ({ name, data: rows.map((row) => row[name]) }));
  return new Uint8Array(
    parquetWriteBuffer({ columnData, schema: [{ name: "root", num_children: names.length }, ...fields] }),
  );
}
