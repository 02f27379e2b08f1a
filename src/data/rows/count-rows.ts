import { LlavaError } from "../../errors.ts";
import { countShardRows } from "../shards/shard-rows.ts";
import { type Dataset, isShard } from "./mixture.ts";
import { countFileRows } from "./row-file.ts";

/** Told of files that are damaged, which count up to there, and of each row. */
export interface CountRowsOptions {
  readonly onDamage: (error: LlavaError) => void;
  readonly onRows?: (count: number) => void;
}

/** Rows that datasets take which are read in order, all or the first so many of each; usable or not, and not read. */
export async function countRows(
  datasets: readonly Dataset[],
  { onDamage, onRows }: CountRowsOptions,
): Promise<number> {
  let total = 0;
  for (const { path, strategy } of datasets) {
    const most = total + (strategy.take === "first" ? strategy.amount : Infinity);
    try {
      for await (const count of isShard(path) ? countShardRows(path) : countFileRows(path)) {
        total = Math.min(most, total + count);
        onRows?.(count);
      }
    } catch (error) {
      if (!(error instanceof LlavaError) || error.code !== "data") throw error;
      onDamage(error);
    }
  }
  return total;
}
