// Ranks that others wait for: npm test -- src/training/callbacks/stragglers.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import type { RankStep } from "../learner.ts";
import { Stragglers } from "./stragglers.ts";

/** The lines after so many steps of what each rank does. */
function linesOf(steps: number, ranksAt: (step: number) => readonly RankStep[]): string[] {
  const lines: string[] = [];
  const hosts = ranksAt(0).map((_, rank) => `machine-${rank}`);
  const stragglers = new Stragglers(hosts, (line) => lines.push(line));
  for (let step = 0; step < steps; step++)
    stragglers.afterStep({ totalSteps: steps, step, rank: 0 }, { ranks: ranksAt(step) });
  return lines;
}

const rank = (computing: number, tokens = 100): RankStep => ({ computing, tokens });

test("a rank that is steadily slower is told once, with its machine and by how much", () => {
  assert.deepEqual(
    linesOf(60, () => [rank(1), rank(1.01), rank(1.5), rank(0.99)]),
    [
      "rank 2 (machine-2) is slow: it computes for 1.500 s a step, 1.50 times as long as the others (1.000 s), over 20 steps",
    ],
  );
  const again = linesOf(60, (step) => [rank(1), rank(step >= 20 && step < 40 ? 1 : 2)]);
  assert.equal(again.length, 2);
});

test("slow steps now and then, more rows, and no rows are not told", () => {
  assert.deepEqual(
    linesOf(40, (step) => [rank(1), rank(step % 3 === 0 ? 9 : 1), rank(1.1)]),
    [],
  );
  assert.deepEqual(
    linesOf(40, () => [rank(1), rank(2, 200), rank(0.1, 0)]),
    [],
  );
  assert.deepEqual(
    linesOf(40, () => [rank(1)]),
    [],
  );
});
