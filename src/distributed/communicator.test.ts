// Ranks that are threads: npm test -- src/distributed
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { endsOf, inProcesses } from "../../test/support/process-ranks.ts";
import type { Planted, Ran } from "../../test/support/rank-tasks.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { inRanks } from "../../test/support/thread-ranks.ts";
import { rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { clipGradNorm } from "../optim/index.ts";
import { tensor } from "../torch/index.ts";
import { alone, sumNumbers } from "./communicator.ts";

const folder = temporaryFolder("llava-ranks");

describe("a communicator", () => {
  test("of one process changes nothing and gives copies", () => {
    const own = tensor([1, 2]);
    alone.sum([own]);
    const [gathered, scattered] = [alone.gather(own)(), alone.scatter(own)()];
    own.fill_(0);
    assert.deepEqual(
      [gathered.toNumbers(), scattered.toNumbers()],
      [
        [1, 2],
        [1, 2],
      ],
    );
    assert.deepEqual(sumNumbers(alone, [0.1, 3]), [0.1, 3]);
  });

  for (const [kind, start] of Object.entries({ threads: inRanks, processes: inProcesses }))
    test(`of two ${kind} sums, gathers and scatters in the order of the ranks`, async () => {
      const both = await start<Record<string, unknown>>(2, "collectives", undefined);
      const shared = {
        said: [
          [0, 0, Number.NaN],
          [1, 8000, Number.NaN],
        ],
        sum: [[10, 12, 14, 16], [1]],
        gathered: [0, 1, 2, 3, 10, 11, 12, 13],
        numbers: [0.2, 1],
      };
      assert.deepEqual(both, [
        { ...shared, scattered: [10, 12] },
        { ...shared, scattered: [14, 16] },
      ]);
    });
});

describe("a call that one rank alone makes ends all, told of which rank and after which step", {
  concurrency: true,
}, () => {
  // What is as long fits, and is found by the next exchange or the next beat; a sum never ends.
  const cause =
    /^llava: rank [01]: stopping, since rank [01] \(.+, after step 2\) (failed: rank 1 )?has not made the same calls to the other ranks as rank 0$/;
  for (const kind of ["another type", "a sum"] as const)
    test(kind, async () => {
      for (const { code, signal, lastLine } of await endsOf(2, "differ", kind satisfies Planted)) {
        assert.ok(code !== 0 && signal !== "SIGABRT");
        assert.match(lastLine, cause);
      }
    });
});

test("clipping parts of gradients, or none, scales them by the norm of all", async () => {
  for (const parts of [
    [[[3, 4]], [[12], [84]]],
    [[[3, 4], [12]], []],
  ]) {
    const whole = parts.flat().map((gradient) => {
      const parameter = tensor(gradient).requiresGrad_();
      parameter.grad = tensor(gradient);
      return parameter;
    });
    const norm = clipGradNorm(whole, 1);
    const ranks = await inRanks<{ norm: number; clipped: number[][] }>(2, "clip", parts);
    for (const each of ranks) assert.ok(Math.abs(each.norm - norm) <= 1e-6 * norm);
    const expected = whole.flatMap(({ grad }) => grad!.toNumbers());
    for (const [i, value] of ranks.flatMap(({ clipped }) => clipped.flat()).entries())
      assert.ok(Math.abs(value - expected[i]!) <= 1e-6);
  }
});

describe("two ranks that train", () => {
  const fields = { ...stages["full"], maxSteps: 4, checkpoint: { every: 2 } };

  test("have one process's losses; the first alone writes and reports", async () => {
    const [one] = await inRanks<Ran>(1, "run", { recipe: rowsRecipe(join(folder, "one"), fields) });
    const recipe = rowsRecipe(join(folder, "two"), fields);
    const [first, second] = await inRanks<Ran>(2, "run", { recipe });
    assert.deepEqual(first!.losses, second!.losses);
    for (const [i, loss] of one!.losses.entries())
      assert.ok(
        Math.abs(first!.losses[i]! / loss - 1) <= 1e-5,
        `step ${i + 1}: ${first!.losses[i]}, ${loss}`,
      );
    assert.ok(first!.result !== undefined && second!.result === undefined);
    assert.ok(first!.lines.length > 0 && second!.lines.length === 0);
    const log = readFileSync(join(folder, "two", "log.jsonl"), "utf8")
      .trim()
      .split("\n");
    assert.deepEqual(
      log.map((line) => JSON.parse(line).step),
      [1, 2, 3, 4],
    );
  });

  test("end after the same step though one of them is told to stop", async () => {
    const recipe = rowsRecipe(join(folder, "stopped"), fields);
    const ran = await inRanks<Ran>(2, "run", { recipe, stopAfter: 3 });
    assert.deepEqual(
      ran.map(({ step }) => step),
      [3, 3],
    );
  });
});
