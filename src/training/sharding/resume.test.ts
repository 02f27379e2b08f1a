// Checkpoints of several processes: npm test -- src/training/sharding/resume.test.ts
import assert from "node:assert/strict";
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inProcesses } from "../../../test/support/process-ranks.ts";
import { type GivenRun, type Ran, run } from "../../../test/support/rank-tasks.ts";
import { assertNear, resultValues } from "../../../test/support/results.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { alone } from "../../distributed/index.ts";
import type { Recipe, RecipeFields } from "../recipe/recipe.ts";

const folder = temporaryFolder("llava-resumed-ranks");

const recipeOf = (name: string, fields: Partial<RecipeFields>): Recipe =>
  rowsRecipe(join(folder, name), {
    ...{ maxSteps: 4, checkpoint: { every: 100 }, optimizer: { learningRate: 2e-3, weightDecay: 0.1 } },
    ...fields,
  });

test("a run goes on from a checkpoint bit for bit, and from one of another number of ranks", async () => {
  const kinds = { full: stages["full"], lora: { ...stages["lora"], shardingGroup: 1 } };
  const steps: [name: string, GivenRun][] = Object.entries(kinds).flatMap(([name, fields]) => {
    const recipe = (at: string) => recipeOf(`${name}-${at}`, { ...fields, sharding: "weights" });
    return [
      [`${name} whole`, { recipe: recipe("whole") }],
      [`${name} stopped`, { recipe: recipe("stopped"), stopAfter: 2 }],
    ];
  });
  // A rate that overflows at the second step: all ranks leave out what follows, and one of them has no rows.
  const diverging = {
    ...{
      ...stages["full"],
      sharding: "weights" as const,
      batchSize: 1,
      guards: { nonFinite: "skip" as const },
    },
    ...{ optimizer: { learningRate: 1e30 }, schedule: { type: "constant" as const, warmupRatio: 0 } },
  };
  steps.push(["diverging", { recipe: recipeOf("diverging", diverging) }]);
  const lagging = recipeOf("lagging", { ...stages["projector"], maxSteps: 21 });
  steps.push(["lagging", { recipe: lagging, lags: true }]);
  const made = await inProcesses<Ran[]>(
    2,
    "runs",
    steps.map(([, each]) => each),
  );
  const ranOf = (name: string): Ran => made[0]![steps.findIndex(([each]) => each === name)]!;
  for (const own of made) {
    const { step, losses } = own.at(-2)!;
    assert.deepEqual([step, losses.map(Number.isFinite)], [4, [true, false, false, false]]);
  }
  const told = ranOf("lagging").lines.filter((line) => line.includes("is slow"));
  assert.match(
    told.join("\n"),
    /^rank 1 \(.+\) is slow: it computes for 10\d\.\d+ s a step, \d+\.\d+ times as long as the others/,
  );
  const logged = JSON.parse(readFileSync(join(lagging.output, "log.jsonl"), "utf8").split("\n")[10]!);
  assert.equal(logged.slowestRank, 1);
  assert.ok(logged.longestComputingSeconds > logged.computingSeconds);
  const stopped = steps.filter(([name]) => name.endsWith("stopped"));
  const outputs = stopped.map(([, { recipe }]) => recipe.output);
  for (const [i, output] of outputs.entries())
    for (const ranks of [1, 3]) cpSync(output, `${outputs[i]}-${ranks}`, { recursive: true });
  const resumed = stopped.map(([, { recipe }]) => ({ recipe, resume: true }));
  const again = (await inProcesses<Ran[]>(2, "runs", resumed))[0]!;
  const elsewhere = (ranks: number): GivenRun[] =>
    resumed.map(({ recipe }) => ({
      recipe: { ...recipe, output: `${recipe.output}-${ranks}` },
      resume: true,
    }));
  const three = (await inProcesses<Ran[]>(3, "runs", elsewhere(3)))[0]!;
  for (const [i, name] of Object.keys(kinds).entries()) {
    const whole = ranOf(`${name} whole`);
    assert.equal(ranOf(`${name} stopped`).step, 2);
    assert.deepEqual(again[i]!.losses, whole.losses.slice(2));
    const bytes = [whole, again[i]!].map(({ result }) => {
      const values = [...resultValues(result!)];
      return JSON.stringify(values);
    });
    assert.equal(bytes[0], bytes[1]);
    const saved = readdirSync(join(outputs[i]!, "checkpoints", "step-0000002")).sort();
    const parts = name === "full" ? ["1-of-2", "2-of-2"] : ["1-of-1"]; // one group of each alone writes
    const files = ["optimizer", "weights"].flatMap((kind) =>
      parts.map((part) => `${kind}-${part}.safetensors`),
    );
    assert.deepEqual(saved, [...files, "state.json"].sort());
    // Dropout draws other numbers with other ranks.
    if (name !== "full") continue;
    const plain = elsewhere(1)[i]!;
    const single = await run(alone, { ...plain, recipe: { ...plain.recipe, sharding: "none" } });
    for (const other of [single, three[i]!]) assertNear(other.losses, whole.losses.slice(2), 1e-5, "loss");
  }
  assert.match(readFileSync(join(outputs[0]!, "log.jsonl"), "utf8"), /"step":4/);
});
