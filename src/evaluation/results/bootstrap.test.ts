import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Metric, Outcome } from "../benchmark.ts";
import { bootstrap } from "./bootstrap.ts";
import { mcnemar } from "./compare.ts";
import { formatMetric } from "./format-metric.ts";

const mean = (outcomes: readonly Outcome[]): Metric[] => {
  const value = outcomes.reduce((sum, { credit }) => sum + credit, 0) / outcomes.length;
  return [{ name: "mean", value, count: outcomes.length, digits: 3 }];
};

const coins = (count: number, group?: (index: number) => string): Outcome[] =>
  Array.from({ length: count }, (_, index) => {
    const own = { id: String(index), credit: index % 4 === 0 ? 0 : 1 };
    return group ? { ...own, group: group(index) } : own;
  });

function halfWidth(outcomes: Outcome[], options = {}): number {
  const { intervals } = bootstrap(outcomes, mean(outcomes), mean, options);
  const [low, high] = intervals.get("mean")!;
  assert.ok(low <= 0.75 && high >= 0.75);
  return (high - low) / 2;
}

describe("bootstrap intervals", () => {
  test("have the width that the binomial has", () => {
    const expected = 1.96 * Math.sqrt((0.75 * 0.25) / 2000);
    assert.ok(Math.abs(halfWidth(coins(2000)) / expected - 1) < 0.08);
  });

  test("stay as wide when fewer groups are drawn than there are", () => {
    const expected = 1.96 * Math.sqrt((0.75 * 0.25) / 20_000);
    assert.ok(Math.abs(halfWidth(coins(20_000)) / expected - 1) < 0.08);
  });

  test("are wider where questions of one group stand or fall together", () => {
    // Questions with the same credit in each group of 5: a fifth as many independent ones.
    const outcomes = coins(2000, (index) => `${index % 4}-${Math.floor(index / 20)}`);
    const ratio = halfWidth(outcomes) / halfWidth(coins(2000));
    assert.ok(Math.abs(ratio - Math.sqrt(5)) < 0.2, String(ratio));
  });

  test("are the same for the same seed alone", () => {
    const outcomes = coins(200);
    assert.equal(halfWidth(outcomes, { seed: 3 }), halfWidth(outcomes, { seed: 3 }));
    const [one, two] = [1, 2].map((seed) =>
      bootstrap(outcomes, mean(outcomes), mean, { seed, resamples: 11 }),
    );
    assert.notDeepEqual(one!.intervals, two!.intervals);
  });
});

test("McNemar's exact test: tails of a fair coin, also where 2ⁿ overflows", () => {
  assert.equal(mcnemar(0, 0), 1);
  assert.ok(Math.abs(mcnemar(9, 1) - 22 / 1024) < 1e-14);
  assert.ok(Math.abs(mcnemar(1, 9) - 22 / 1024) < 1e-14);
  assert.equal(mcnemar(5, 5), 1);
  // Normal approximation with continuity correction for 1100 against 1000 tosses.
  assert.ok(Math.abs(mcnemar(1100, 1000) - 0.0308) < 5e-4, String(mcnemar(1100, 1000)));
});

test("metrics are printed as Python prints them: ties to even, everything else to the nearest", () => {
  const printed = [
    [0.125, 2],
    [0.375, 2],
    [2.5, 0],
    [3.5, 0],
    [-2.5, 0],
    [1.005, 2],
    [67.685, 2],
    [0.3665, 3],
    [1531.25, 1],
  ] as const;
  assert.deepEqual(
    printed.map(([value, digits]) => formatMetric(value, digits)),
    ["0.12", "0.38", "2", "4", "-2", "1.00", "67.69", "0.366", "1531.2"],
  );
});
