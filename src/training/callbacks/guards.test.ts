// Steps that would do harm: npm test -- src/training/callbacks
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { fixtures, rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { silentProgress } from "../../setup/index.ts";
import { noGrad, scope } from "../../torch/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { runRecipe } from "../run.ts";
import { prepareStage } from "../stage/stage.ts";
import type { StepMetrics } from "../trainer.ts";
import { Guards } from "./guards.ts";

const folder = temporaryFolder("llava-guards");

type Options = Partial<Recipe["guards"]>;

function guarded(options: Options) {
  const { guards } = rowsRecipe(folder, { guards: options });
  const lines: string[] = [];
  const guard = new Guards(guards, (line) => lines.push(line));
  let step = 0;
  const look = (loss: number, gradientNorm = 1, suspects: readonly string[] = []) => {
    const metrics = { step: step++, loss, gradientNorm, samples: ["a", "b"], suspects };
    return guard.beforeUpdate({ totalSteps: 100, step, rank: 0 }, metrics as unknown as StepMetrics);
  };
  return { guard, look, lines };
}

const usual = (look: (loss: number, gradientNorm?: number) => unknown, count = 8) => {
  for (let i = 0; i < count; i++) assert.equal(look(2 + (i % 2), 1), undefined);
};

describe("a step whose loss or gradient is not finite", () => {
  test("ends the run, naming the rows of its micro-batches that did it, or of them all", () => {
    assert.throws(() => guarded({}).look(Number.NaN, 1, ["b"]), /step 1: loss NaN, gradient norm 1; rows b$/);
    assert.throws(() => guarded({}).look(1, Infinity), /gradient norm Infinity; rows a, b$/);
  });

  test("is left out where that is wanted, counted and reported, up to so many in a row", () => {
    const { look, guard, lines } = guarded({ nonFinite: "skip", maxSkips: 2 });
    assert.equal(look(Number.NaN), "skip");
    assert.equal(look(Infinity), "skip");
    assert.equal(look(1), undefined);
    assert.equal(look(Number.NaN), "skip");
    assert.deepEqual([guard.state.skipped, guard.state.inARow, guard.state.losses], [3, 1, [1]]);
    assert.match(lines[2]!, /left out step 4: loss NaN.*rows a, b \(3 so far\)/);
    look(Number.NaN);
    assert.throws(() => look(Number.NaN), /step 6: .*; 2 steps before it were left out as well/);
  });
});

describe("a spike", () => {
  test("is a loss, or a gradient, far above the median of the steps before", () => {
    const { look, lines } = guarded({ lossSpike: 2, gradientSpike: 10 });
    usual(look);
    assert.equal(look(5), undefined, "twice the median is no spike yet");
    assert.equal(look(6.1), "skip");
    assert.equal(look(2, 10.5), "skip");
    assert.match(lines[0]!, /step 10: loss 6\.100, the median before 3\.000/);
    assert.match(lines[1]!, /step 11: gradient norm 10\.50, the median before 1\.000/);
  });

  test("is not looked for unless asked for, nor among the first steps", () => {
    const { look } = guarded({});
    usual(look);
    assert.equal(look(1e6, 1e6), undefined);
    const early = guarded({ lossSpike: 2 });
    usual(early.look, 7);
    assert.equal(early.look(1e6), undefined);
  });

  test("ends the run where that is wanted", () => {
    const { look } = guarded({ lossSpike: 2, onSpike: "stop" });
    usual(look);
    assert.throws(() => look(50), /step 9: loss 50\.00, the median before 2\.500; rows a, b/);
  });
});

describe("the rows that are named are those whose own loss is not finite", () => {
  const cases = { "side by side in blocks": [90, 1], "in rows of their own": [1, 4] } as const;
  const images = readdirSync(join(fixtures, "llava/images")).slice(0, 4);
  for (const [name, [words, packedRows]] of Object.entries(cases))
    test(name, async () => {
      const rows = images.map((image, i) => ({
        id: `row ${i}`,
        image,
        conversations: [
          { from: "human", value: `<image> ${"What is it? ".repeat(words)}` },
          { from: "gpt", value: "a dog" },
        ],
      }));
      const file = join(folder, "images.json");
      writeFileSync(file, JSON.stringify(rows));
      const recipe = rowsRecipe(join(folder, "named"), {
        ...stages["full"],
        data: { rows: file, images: join(fixtures, "llava/images"), template: "vicuna_v1" },
        batchSize: rows.length,
        packedRows,
      });
      using stage = await prepareStage(recipe, { progress: silentProgress, report: () => {} });
      const [batch] = await stage.source.next();
      using _ = batch!;
      assert.deepEqual(stage.objective.suspects!(batch!), batch!.samples, "all where nothing is wrong");
      const named = rows.map((_, index) => {
        using spoilt = batch!.images!.clone();
        noGrad(() => scope(() => void spoilt.select(0, index).fill_(Number.NaN)));
        return stage.objective.suspects!({ ...batch!, images: spoilt });
      });
      assert.deepEqual(
        named.flat().sort(),
        rows.map(({ id }) => id),
      );
      assert.ok(named.every((ids) => ids.length === 1));
    });
});

test("a step that is left out changes no weight and no moment, and is in the log", async () => {
  // A rate that overflows at the second step: every one after it has a loss that is not a number.
  const recipe = rowsRecipe(join(folder, "run"), {
    ...stages["full"],
    optimizer: { learningRate: 1e30 },
    schedule: { type: "constant", warmupRatio: 0 },
    guards: { nonFinite: "skip" },
    maxSteps: 4,
    checkpoint: { every: 1, keep: 4 },
  });
  const quiet = { progress: silentProgress, report: () => {} };
  const { result } = await runRecipe(recipe, quiet);
  assert.ok(result);
  const lines = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
  assert.deepEqual(
    lines.map((line) => (JSON.parse(line) as { skipped?: number }).skipped ?? 0),
    [0, 1, 1, 1],
  );
  for (const file of ["weights.safetensors", "optimizer.safetensors"]) {
    const bytesAt = (step: number) =>
      readFileSync(join(recipe.output, "checkpoints", `step-000000${step}`, file)).toString("base64");
    assert.equal(bytesAt(4), bytesAt(1), file);
  }
});

test("what guards remember is gone on with after a stop", async () => {
  const quiet = { progress: silentProgress, report: () => {} };
  const fields = { ...stages["full"], batchSize: 2, maxSteps: 14, guards: { gradientSpike: 1.05 } };
  const skippedSteps = async (name: string, stopAt?: number): Promise<number[]> => {
    const recipe = rowsRecipe(join(folder, name), fields);
    const skipped = new Set<number>();
    const stop = new AbortController();
    const callbacks = [
      {
        afterStep: ({ step }: { step: number }, metrics: StepMetrics) => {
          if (metrics.skipped) skipped.add(step);
          if (step === stopAt) stop.abort();
        },
      },
    ];
    const { result } = await runRecipe(recipe, { ...quiet, callbacks, signal: stop.signal });
    if (result === undefined) await runRecipe(recipe, { ...quiet, callbacks, resume: true });
    return [...skipped];
  };
  const whole = await skippedSteps("remembering");
  assert.ok(whole.length > 0);
  assert.deepEqual(await skippedSteps("stopped", 10), whole);
});
