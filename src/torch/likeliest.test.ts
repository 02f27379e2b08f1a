import assert from "node:assert/strict";
import { test } from "node:test";
import { aten, inference, scope, tensor } from "./index.ts";

/** By a loop; −1 for what holds something that is no finite number. */
function firstLargest(row: readonly number[]): number {
  if (!row.every(Number.isFinite)) return -1;
  return row.indexOf(row.reduce((most, value) => Math.max(most, value)));
}

test("the likeliest is the first of equals, whatever the width, and a row with what is no number has none", () => {
  for (const width of [1, 7, 8, 9, 40, 129])
    for (const dtype of ["float32", "bfloat16", "float16"] as const)
      inference(() =>
        scope(() => {
          const rows = Array.from({ length: 60 }, (_, row) =>
            Array.from({ length: width }, (_, k) => ((row * 7919 + k * 104729) % 13) - 6),
          );
          rows[3]![width - 1] = Number.NaN;
          rows[4]![0] = Number.NaN;
          rows[5]![width >> 1] = Number.POSITIVE_INFINITY;
          rows[6]![width >> 1] = Number.NEGATIVE_INFINITY;
          rows[7]!.fill(-5);
          const found = aten.likeliest(tensor(rows.flat(), { shape: [60, width] }).to(dtype)).toNumbers();
          assert.deepEqual(found, rows.map(firstLargest), `${width} ${dtype}`);
        }),
      );
});
