// What must not change the result of training: npm test -- src/training/invariants.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FirstStep, firstStep as measureFirstStep } from "../../test/support/first-step.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { inRanks } from "../../test/support/thread-ranks.ts";
import { finalBytes, rowsRecipe, stages } from "../../test/support/training-rows.ts";
import { silentProgress } from "../setup/index.ts";
import type { RecipeFields } from "./recipe/recipe.ts";
import { runRecipe } from "./run.ts";

const folder = temporaryFolder("llava-invariants");
const quiet = { progress: silentProgress, report: () => {} };

const withoutDropout = { ...stages["lora"], lora: { rank: 2, alpha: 4 } };

const firstStep = (fields: Partial<RecipeFields>) =>
  measureFirstStep(rowsRecipe(join(folder, "unused"), fields));

function assertSameStep(actual: FirstStep, expected: FirstStep): void {
  const relative = Math.abs(actual.loss / expected.loss - 1);
  assert.ok(relative <= 1e-6, `loss differs by ${relative} of itself`);
  assert.deepEqual([...actual.gradients.keys()].sort(), [...expected.gradients.keys()].sort());
  for (const [name, values] of expected.gradients) {
    const other = actual.gradients.get(name)!;
    const norm = Math.hypot(...values);
    const difference = Math.hypot(...values.map((value, i) => value - other[i]!));
    assert.ok(difference <= 1e-5 * norm + 1e-7, `${name}: ${difference} of ${norm}`); // measured: 2e-6
  }
}

for (const [name, fields] of Object.entries({ ...stages, lora: withoutDropout }))
  describe(`${name}: the gradient of a step is the same`, () => {
    test("packed into rows of any number, images included, as with a row for each sample", async () => {
      const unpacked = await firstStep({ ...fields, packedRows: 6 });
      for (const packedRows of [1, 2, 4])
        assertSameStep(await firstStep({ ...fields, packedRows }), unpacked);
    });

    test("in any number of micro-batches as in one", async () => {
      const whole = await firstStep(fields);
      for (const accumulation of [2, 3, 6])
        assertSameStep(await firstStep({ ...fields, accumulation }), whole);
    });

    test("shared by two ranks as by one, with the same bits on both", async () => {
      // Three rows each, one of them with a micro-batch of text alone.
      for (const accumulation of [1, 3]) {
        const recipe = rowsRecipe(join(folder, "unused"), { ...fields, accumulation });
        const whole = await measureFirstStep(recipe);
        const [first, second] = await inRanks<FirstStep>(2, "step", recipe);
        assert.deepEqual(second, first);
        assertSameStep(first!, whole);
        assert.deepEqual([first!.units, first!.tokens], [whole.units, whole.tokens]);
        assert.ok(Math.abs(first!.gradientNorm / whole.gradientNorm - 1) <= 1e-6);
      }
    });
  });

const losses = (run: string): string[] =>
  readFileSync(join(folder, run, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { step: number; loss: number; gradientNorm: number })
    .map(({ step, loss, gradientNorm }) => `${step} ${loss} ${gradientNorm}`);

async function run(
  name: string,
  fields: Partial<RecipeFields>,
  stopAfter = Infinity,
  resumedWith: Partial<RecipeFields> = fields,
) {
  const recipeOf = (its: Partial<RecipeFields>) =>
    rowsRecipe(join(folder, name), { batchSize: 2, maxSteps: 5, ...its });
  const recipe = recipeOf(fields);
  const stop = new AbortController();
  const progress = () => ({
    update: (done: number) => void (done === stopAfter && stop.abort()),
    increment() {},
    stop() {},
  });
  const { result } = await runRecipe(recipe, { ...quiet, progress, signal: stop.signal });
  if (result === undefined) await runRecipe(recipeOf(resumedWith), { ...quiet, resume: true });
  return { bytes: finalBytes(recipe), losses: losses(name) };
}

for (const [name, fields] of Object.entries(stages))
  for (const dtype of ["float32", "bfloat16"] as const)
    describe(`${name} in ${dtype}: the same weights, to the last bit, come from`, async () => {
      const whole = run(`${name} ${dtype}`, { ...fields, dtype });

      test("a run that is stopped and resumed", async () => {
        const stopped = await run(`${name} ${dtype} stopped`, { ...fields, dtype }, 3);
        assert.deepEqual(stopped, await whole);
      });

      test("the same run again, but not one with another seed", async () => {
        assert.deepEqual(await run(`${name} ${dtype} again`, { ...fields, dtype }), await whole);
        const { bytes } = await run(`${name} ${dtype} seed`, { ...fields, dtype, seed: 1 });
        assert.notDeepEqual(bytes, (await whole).bytes);
      });

      test("a run whose images one other thread loads until it is stopped, and then two", async () => {
        const { data } = rowsRecipe("unused");
        const [one, two] = [1, 2].map((workers) => ({ ...fields, dtype, data: { ...data, workers } }));
        assert.deepEqual(await run(`${name} ${dtype} threads`, one!, 3, two), await whole);
      });

      test("a run that computes activations again in the backward pass", async () => {
        const recomputed = { ...fields, dtype, activationCheckpointing: true };
        assert.deepEqual(await run(`${name} ${dtype} recomputed`, recomputed), await whole);
      });
    });
