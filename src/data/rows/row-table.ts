import type { LlavaRow } from "../../protocol/index.ts";
import { lengthOfRow } from "./row-length.ts";

/** Rows by number, wherever they lie, and what is asked of all of them often. */
export interface RowTable {
  readonly length: number;
  /** Reads the row. */
  at(index: number): LlavaRow;
  imagesOf(index: number): readonly string[];
  /** See `lengthOfRow`. */
  lengthOf(index: number): number;
  /** Number of the dataset that the row is from, of a mixture's. */
  datasetOf(index: number): number;
}

/** Rows that are in memory. */
export const rowTable = (rows: readonly LlavaRow[]): RowTable => ({
  length: rows.length,
  at: (index) => rows[index]!,
  imagesOf: (index) => rows[index]!.images.map(({ name }) => name),
  lengthOf: (index) => lengthOfRow(rows[index]!),
  datasetOf: () => 0,
});

/** Those of a table for which `keep` holds. */
export function filterTable(table: RowTable, keep: (index: number) => boolean): RowTable {
  const chosen = Uint32Array.from({ length: table.length }, (_, i) => i).filter(keep);
  return {
    length: chosen.length,
    at: (index) => table.at(chosen[index]!),
    imagesOf: (index) => table.imagesOf(chosen[index]!),
    lengthOf: (index) => table.lengthOf(chosen[index]!),
    datasetOf: (index) => table.datasetOf(chosen[index]!),
  };
}

/** Every image that a table names, once. */
export function imagesOfTable(table: RowTable): Set<string> {
  const images = new Set<string>();
  for (let row = 0; row < table.length; row++) for (const image of table.imagesOf(row)) images.add(image);
  return images;
}
