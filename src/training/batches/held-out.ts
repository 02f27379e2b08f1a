import { mediumKey, pairGroup, type RowGroup, type RowTable } from "../../data/index.ts";
import type { Collator } from "./collator.ts";
import type { RowBatch } from "./row-batch.ts";

/** The rows of the first images, some of each, in the order of the file. */
export function firstImages(
  table: RowTable,
  { count, rowsPerImage }: { count: number; rowsPerImage: number },
): RowGroup[] {
  const numbers = Array.from({ length: table.length }, (_, row) => row);
  const groups = Map.groupBy(numbers, (row) => table.imagesOf(row).map(mediumKey).join("\n"));
  return [...groups.values()]
    .slice(0, count)
    .map((group) => ({ rows: group.slice(0, rowsPerImage).map((row) => table.at(row)), mirrored: false }));
}

/** The first pairs of the file, each with both sides. */
export const firstPairs = (table: RowTable, { count }: { count: number }): RowGroup[] =>
  Array.from({ length: Math.min(count, table.length) }, (_, row) => pairGroup(table.at(row)));

/** Batches of 8 images, or pairs. */
export async function heldOutBatches(collator: Collator, groups: readonly RowGroup[]): Promise<RowBatch[]> {
  const batches: RowBatch[] = [];
  for (let start = 0; start < groups.length; start += 8) {
    const batch = await collator.batch(groups.slice(start, start + 8));
    if (batch) batches.push(batch);
  }
  return batches;
}
