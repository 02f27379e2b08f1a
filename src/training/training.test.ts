// The loop on a tiny model and coloured squares: npm test -- src/training/training.test.ts
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { drawSquares, squaresRecipe } from "../../test/support/coloured-squares.ts";
import { collectGarbage } from "../../test/support/garbage.ts";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { AdamW, cosineSchedule } from "../optim/index.ts";
import { silentProgress } from "../setup/index.ts";
import { aten, fastDType, liveTensors } from "../torch/index.ts";
import { WholeLearner } from "./learner.ts";
import { evaluate } from "./objectives/index.ts";
import type { RecipeFields } from "./recipe/recipe.ts";
import { runRecipe } from "./run.ts";
import { prepareStage } from "./stage/stage.ts";
import { type StepMetrics, train } from "./trainer.ts";

const folder = temporaryFolder("llava-training");
const quiet = { progress: silentProgress, report: () => {} };
let testRows: string;

before(async () => {
  await drawSquares(folder, "train", 6);
  testRows = await drawSquares(folder, "test", 2);
});

const recipeFor = (run: string, fields: Partial<RecipeFields> = {}) =>
  squaresRecipe(folder, { output: join(folder, run), maxSteps: 12, ...fields });
const resultOf = (run: string): Buffer => {
  const bytes = readFileSync(join(folder, run, "projector.safetensors"));
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE())); // the header names the run's folder
};

describe("learning", () => {
  test("brings the loss below what is possible without looking at the image", async () => {
    const evaluation = { rows: testRows, images: folder };
    using stage = await prepareStage(recipeFor("colours", { evaluation }), quiet);
    const { objective, source, heldOut } = stage;
    const { projector, languageModel } = stage.pretrained.model;
    // The tiny language model is random: with the projector alone it could not even learn the words.
    for (const [name, weight] of languageModel.namedParameters())
      languageModel.setParameter(name, weight.clone().requiresGrad_());
    const parameters = new Map([
      ...projector.namedParameters("projector."),
      ...languageModel.namedParameters("language_model."),
    ]);
    using optimizer = new AdamW([{ parameters, learningRate: 1e-2, weightDecay: 0 }]);
    const totalSteps = 150;
    const schedule = cosineSchedule({ total: totalSteps, warmupRatio: 0.05 });
    const learner = new WholeLearner(objective, optimizer);
    await train({ learner, source, schedule, totalSteps, maxGradientNorm: 1 });

    const images = heldOut.reduce((sum, { samples }) => sum + samples.length, 0);
    const tokens = heldOut.reduce((sum, { units }) => sum + units, 0);
    const blind = (images * Math.log(4)) / tokens;
    const { loss } = evaluate(objective, heldOut);
    const exchanged = heldOut.map((batch) => ({ ...batch, images: aten.roll(batch.images!, [2], [0]) }));
    const { loss: mismatched } = evaluate(objective, exchanged);
    assert.ok(loss < 0.3 * blind, `${loss}; without the images ${blind}`);
    assert.ok(mismatched > 2 * blind, `${mismatched} with other images; without images ${blind}`);
  });

  test("in micro-batches of different lengths is learning from the whole batch", async () => {
    const gradients: number[][] = [];
    const parts: number[] = [];
    for (const accumulation of [1, 3]) {
      using stage = await prepareStage(recipeFor("parts", { accumulation, batchSize: 7 }), quiet);
      const { objective, source, groups } = stage;
      using optimizer = new AdamW(groups);
      const collect = {
        beforeUpdate: (_: unknown, { units }: StepMetrics): undefined => {
          parts.push(units);
          gradients.push(optimizer.parameters().flatMap((weight) => weight.grad!.toNumbers()));
        },
      };
      const options = {
        learner: new WholeLearner(objective, optimizer),
        source,
        schedule: () => 1,
        totalSteps: 1,
      };
      await train({ ...options, maxGradientNorm: Infinity, callbacks: [collect] });
    }
    assert.equal(parts[0], parts[1]);
    const [whole, accumulated] = gradients as [number[], number[]];
    const norm = Math.hypot(...whole);
    assert.ok(norm > 0.1);
    assert.ok(Math.hypot(...whole.map((value, i) => value - accumulated[i]!)) <= 1e-6 * norm);
  });

  test("changes the projector alone, and keeps no tensors from step to step", async () => {
    using stage = await prepareStage(recipeFor("frozen"), quiet);
    const { objective, source, groups, pretrained } = stage;
    const frozen = [pretrained.model.visionTower, pretrained.model.languageModel].flatMap((part) =>
      part.parameters(),
    );
    const bytesOf = () => frozen.map((weight) => Buffer.from(weight.toBytes()).toString("base64"));
    const before = bytesOf();
    using optimizer = new AdamW(groups);
    await setImmediate();
    collectGarbage(); // of what came before
    const live: number[] = [];
    const count = { afterStep: () => void live.push(liveTensors()) };
    const options = {
      learner: new WholeLearner(objective, optimizer),
      source,
      schedule: () => 1,
      totalSteps: 4,
    };
    await train({ ...options, maxGradientNorm: 1, callbacks: [count] });
    assert.deepEqual(bytesOf(), before);
    assert.ok(frozen.every((weight) => weight.grad === undefined));
    assert.equal(new Set(live).size, 1, `live tensors after each step: ${live}`);
  });
});

describe("a run", () => {
  test("that is told to stop saves the step it was at, and goes on from there", async () => {
    const stop = new AbortController();
    const progress = () => ({
      update: (done: number) => void (done === 5 && stop.abort()),
      increment() {},
      stop() {},
    });
    const recipe = recipeFor("stopped", { checkpoint: { every: 100 } });
    const stopped = await runRecipe(recipe, { ...quiet, progress, signal: stop.signal });
    assert.deepEqual(stopped, { step: 5, totalSteps: 12, result: undefined });
    await runRecipe(recipe, { ...quiet, resume: true });
    await runRecipe(recipeFor("unstopped"), quiet);
    assert.deepEqual(resultOf("stopped"), resultOf("unstopped"));
  });

  test("does not overwrite another, nor go on with another recipe", async () => {
    const fields = { maxSteps: 2 };
    await runRecipe(recipeFor("first", fields), quiet);
    await assert.rejects(runRecipe(recipeFor("first", fields), quiet), /already holds a run/);
    const other = recipeFor("first", { ...fields, optimizer: { learningRate: 5 } });
    await assert.rejects(
      runRecipe(other, { ...quiet, resume: true }),
      /was started with optimizer\.learningRate 0\.01, not 5/,
    );
  });

  test("records what it computes in and keeps it, though this device would choose otherwise now", async () => {
    const slow = fastDType().dtype === "float32" ? "bfloat16" : "float32";
    const lines: string[] = [];
    const told = { ...quiet, report: (line: string) => void lines.push(line) };
    await runRecipe(recipeFor("computing", { dtype: slow, maxSteps: 2 }), told);
    const auto = recipeFor("computing", { dtype: "auto", maxSteps: 2 });
    await runRecipe(auto, { ...told, resume: true });
    const recorded = JSON.parse(readFileSync(join(folder, "computing", "recipe.json"), "utf8"));
    assert.equal(recorded.dtype, slow);
    const [first, second] = lines.filter((line) => line.startsWith("computes in "));
    assert.equal(first, `computes in ${slow}: the recipe says so`);
    assert.match(second!, new RegExp(`^computes in ${slow}: the run began with it; a new one would take`));
    const fast = recipeFor("computing", { dtype: fastDType().dtype, maxSteps: 2 });
    await assert.rejects(runRecipe(fast, { ...quiet, resume: true }), /was started with dtype/);
  });

  test("whose loss is not a number stops, names the rows and saves nothing", async () => {
    const recipe = recipeFor("diverged", { optimizer: { learningRate: 1e30 }, checkpoint: { every: 1 } });
    await assert.rejects(runRecipe(recipe, quiet), /step \d+: loss NaN.* rows train-\w+-\d\.png, /);
    const saved = readdirSync(join(folder, "diverged", "checkpoints"));
    assert.equal(saved.length, 2);
    for (const name of saved) {
      const state = JSON.parse(
        readFileSync(join(folder, "diverged", "checkpoints", name, "state.json"), "utf8"),
      );
      assert.ok(state.step < 12);
    }
  });
});
