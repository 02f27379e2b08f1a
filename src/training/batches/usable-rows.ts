import { openRows, type RowTable } from "../../data/index.ts";
import type { LlavaError } from "../../errors.ts";
import type { Surroundings } from "../stage/load.ts";
import { Problems } from "./bad-rows.ts";

/** Rows that can be used, looked at one by one; the others are an error or left out, or told to `onBadRow`. */
export async function usableRows(
  name: string,
  policy: {
    readonly images: string;
    readonly seed: number;
    readonly onBadRow: "error" | "skip";
    readonly arePairs: boolean;
  },
  around: Surroundings,
  onBadRow?: (error: LlavaError) => void,
): Promise<RowTable> {
  const problems = new Problems(policy, around.report);
  const bar = around.progress({ label: "rows", unit: "rows" });
  let pairs = 0;
  const table = await openRows(name, {
    ...policy,
    onBadRow: onBadRow ?? ((error) => problems.add(error)),
    onPair: () => pairs++,
    onRow: () => bar.increment(),
  }).finally(() => bar.stop());
  problems.settle(name, table.length);
  if (pairs > 0 && !policy.arePairs)
    around.report(
      `${name}: of ${pairs} pairs the chosen answers are learnt, and nothing of the rejected ones`,
    );
  return table;
}
