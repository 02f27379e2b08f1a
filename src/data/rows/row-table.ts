import { type LlavaRow, mediumKey, type RowImage } from "../../protocol/index.ts";
import { lengthOfRow } from "./row-length.ts";

/** Rows by number, wherever they lie, and what is asked of all of them often. */
export interface RowTable {
  readonly length: number;
  /** Reads the row. */
  at(index: number): LlavaRow;
  /** Its images and videos, without their bytes. */
  imagesOf(index: number): readonly RowImage[];
  /** See `lengthOfRow`. */
  lengthOf(index: number): number;
  /** Number of the dataset that the row is from, of a mixture's. */
  datasetOf(index: number): number;
}

/** Rows that are in memory. */
export const rowTable = (rows: readonly LlavaRow[]): RowTable => ({
  length: rows.length,
  at: (index) => rows[index]!,
  imagesOf: (index) => rows[index]!.images,
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

/** Every image and video that a table names, once. */
export function imagesOfTable(table: RowTable): RowImage[] {
  const images = new Map<string, RowImage>();
  for (let row = 0; row < table.length; row++)
    for (const image of table.imagesOf(row)) images.set(mediumKey(image), image);
  return [...images.values()];
}

/** What a row is about, whichever of its media are videos. */
export type RowKind = "text" | "image" | "video";

export const kindOfRow = (images: readonly RowImage[]): RowKind =>
  images.some(({ isVideo }) => isVideo) ? "video" : images.length > 0 ? "image" : "text";
