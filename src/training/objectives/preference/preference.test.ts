// Runs that learn from pairs: npm test -- src/training/objectives/preference
import assert from "node:assert/strict";
import { appendFileSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { type FirstStep, firstStep } from "../../../../test/support/first-step.ts";
import { learners, pairRows, pairsRecipe } from "../../../../test/support/pair-rows.ts";
import { temporaryFolder } from "../../../../test/support/temporary-folder.ts";
import { inRanks } from "../../../../test/support/thread-ranks.ts";
import { finalBytes, fixtures } from "../../../../test/support/training-rows.ts";
import { silentProgress } from "../../../setup/index.ts";
import { noGrad, scope } from "../../../torch/index.ts";
import type { Recipe, RecipeFields } from "../../recipe/recipe.ts";
import { runRecipe } from "../../run.ts";
import { prepareStage } from "../../stage/stage.ts";
import type { PreferenceObjective } from "./objective.ts";
import type { PairBatch } from "./pair-batch.ts";

const folder = temporaryFolder("llava-preference");
const quiet = { progress: silentProgress, report: () => {} };
const recipeFor = (fields: Partial<RecipeFields> = {}, output = "unused") =>
  pairsRecipe(folder, output, fields);
const preference = (fields: object) => ({ objective: { type: "preference", ...fields } as const });

type Line = Record<string, number>;
const logOf = ({ output }: Recipe): Line[] =>
  readFileSync(join(output, "log.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
/** What does not depend on how long things took. */
const measured = (recipe: Recipe): Line[] =>
  logOf(recipe).map(({ seconds, tokensPerSecond, mebibytes, peakMebibytes, ...line }) => line);

const tiles = { model: join(fixtures, "llava-next/llama") };

describe("the first step", () => {
  const references: Record<string, Partial<RecipeFields>> = {
    "without adapters": { ...learners["lora"], ...preference({ reference: "adaptersOff" }) },
    "of a copy of adapters": { ...learners["lora"], ...preference({ reference: "copy" }) },
    "of an adapter that is gone on from": {
      train: [],
      ...{ lora: { rank: 4, alpha: 16, dropout: 0.5, start: join(fixtures, "training/adapter") } },
      ...preference({ reference: "copy" }),
    },
    "of a copy of the model": { ...learners["full"] },
    "of a copy of model and tower": { ...learners["all"] },
    "with tiles": { ...learners["all"], ...tiles },
  };
  for (const [name, fields] of Object.entries(references))
    for (const dtype of ["float32", "bfloat16"] as const)
      test(`begins at ln 2 with margins of nothing, the reference that ${name}, in ${dtype}`, async () => {
        const recipe = recipeFor({ ...fields, dtype, maxSteps: 1 }, `first ${name} ${dtype}`);
        await runRecipe(recipe, quiet);
        const [line] = logOf(recipe) as [Line];
        assert.ok(Math.abs(line["loss"]! - Math.LN2) <= 1e-6, `${line["loss"]}`);
        assert.deepEqual(
          ["margins", "chosen", "rejected", "accuracies"].map((of) => line[`rewards/${of}`]),
          [0, 0, 0, 0],
        );
        assert.deepEqual([line["units"], line["displacement"]], [pairRows.length, 0]);
        assert.ok(line["logps/chosen"]! < 0 && line["lengths/rejected"]! > line["lengths/chosen"]!);
      });
});

function assertSameStep(actual: FirstStep, expected: FirstStep): void {
  assert.ok(Math.abs(actual.loss / expected.loss - 1) <= 1e-6, `${actual.loss}, ${expected.loss}`);
  assert.equal(actual.units, expected.units);
  for (const [name, values] of expected.gradients) {
    const other = actual.gradients.get(name)!;
    const norm = Math.hypot(...values);
    const difference = Math.hypot(...values.map((value, i) => value - other[i]!));
    assert.ok(difference <= 1e-5 * norm + 1e-7, `${name}: ${difference} of ${norm}`);
  }
}

/** All that a step's loss may hold, where lengths count too. */
const everything = preference({ loss: "sigmoid_norm", sftWeight: 0.5, preferenceWeight: 2, tailWeight: 0.5 });

for (const [name, fields] of Object.entries({ ...learners, tiles: { ...learners["all"], ...tiles } }))
  describe(`${name}: the gradient of a step is the same`, () => {
    const of = (more: Partial<RecipeFields>) => firstStep(recipeFor({ ...fields, ...everything, ...more }));

    test("packed into rows of any number and in any number of micro-batches", async () => {
      const alone = await of({ packedRows: 6 });
      for (const packedRows of [1, 2]) assertSameStep(await of({ packedRows }), alone);
      for (const accumulation of [2, 6]) assertSameStep(await of({ accumulation }), alone);
    });

    test("shared by two ranks, with the same bits on both", async () => {
      const recipe = recipeFor({ ...fields, ...everything, accumulation: 3 });
      const whole = await firstStep(recipe);
      const [first, second] = await inRanks<FirstStep>(2, "step", recipe);
      assert.deepEqual(second, first);
      assertSameStep(first!, whole);
    });
  });

async function run(name: string, fields: Partial<RecipeFields>, stopAfter = Infinity) {
  const recipe = recipeFor({ batchSize: 2, maxSteps: 6, ...fields }, name);
  const stop = new AbortController();
  const progress = () => ({
    update: (done: number) => void (done === stopAfter && stop.abort()),
    increment() {},
    stop() {},
  });
  const { result } = await runRecipe(recipe, { ...quiet, progress, signal: stop.signal });
  if (result === undefined) await runRecipe(recipe, { ...quiet, resume: true });
  return { bytes: finalBytes(recipe), lines: measured(recipe) };
}

const modes: Record<string, Partial<RecipeFields>> = {
  "adapters off": { ...learners["lora"] },
  copy: { ...learners["full"] },
  precomputed: { ...learners["full"], ...preference({ reference: "precomputed" }) },
};
for (const [name, fields] of Object.entries(modes))
  describe(`${name}: the same weights and measures, to the last bit, come from`, () => {
    test("a run that is stopped and resumed, whose reference is still the first step's", async () => {
      const whole = await run(`${name} whole`, fields);
      assert.deepEqual(await run(`${name} stopped`, fields, 3), whole);
      assert.ok(Math.abs(whole.lines.at(-1)!["rewards/margins"]!) > 1e-4, "the policy has moved");
    });

    test("a run that computes activations again in the backward pass", async () => {
      const again = await run(`${name} recomputed`, { ...fields, activationCheckpointing: true });
      assert.deepEqual(again, await run(`${name} kept`, fields));
    });
  });

describe("a precomputed reference", () => {
  const stored = (output: string, referenceFile: string, more: Partial<RecipeFields> = {}) =>
    recipeFor(
      {
        ...{ ...learners["full"], batchSize: 2, accumulation: 2, maxSteps: 6 },
        ...more,
        ...preference({ reference: "precomputed", referenceFile }),
      },
      output,
    );
  const linesOf = (path: string) => readFileSync(path, "utf8").trim().split("\n");

  test("gives the bits of the one that is computed on the way, where a micro-batch is a pair", async () => {
    const known = stored("known", join(folder, "known.jsonl"));
    await runRecipe(known, quiet);
    const online = recipeFor({ ...learners["full"], batchSize: 2, accumulation: 2, maxSteps: 6 }, "online");
    await runRecipe(online, quiet);
    assert.deepEqual(measured(known), measured(online));
    assert.deepEqual(finalBytes(known), finalBytes(online));
  });

  test("is computed once, and again only for what changed", async () => {
    const path = join(folder, "cache.jsonl");
    const told: string[] = [];
    const look = { ...quiet, report: (line: string) => void told.push(line) };
    const count = pairRows.length;
    const prepared = async (more: Partial<RecipeFields> = {}) => {
      using _ = await prepareStage(stored("cached", path, more), look);
      return told.findLast((line) => line.startsWith("reference:"));
    };
    const said = (found: number) =>
      `reference: ${found} of ${count} pairs are in ${path}, ${count - found} to compute`;
    assert.equal(await prepared(), said(0));
    const first = linesOf(path);
    assert.equal(first.length, count);
    assert.equal(await prepared(), said(count));
    assert.equal(
      await prepared({ batchSize: 6, accumulation: 1, optimizer: { learningRate: 1 } }),
      said(count),
    );
    assert.equal(await prepared({ dtype: "bfloat16" }), said(0));
    writeFileSync(path, `${first.slice(0, -1).join("\n")}\n${first.at(-1)!.slice(0, 40)}`); // cut short
    assert.equal(await prepared(), said(count - 1));
    assert.equal(await prepared(), said(count));
    const images = join(folder, "images");
    mkdirSync(images);
    for (const image of ["wide.png", "tall.png"])
      copyFileSync(join(fixtures, "llava/images", image), join(images, image));
    const { data } = stored("cached", path);
    assert.equal(await prepared({ data: { ...data, images } }), said(count));
    appendFileSync(join(images, "tall.png"), "\0");
    const about = pairRows.filter((row) => JSON.stringify(row).includes("tall.png")).length;
    assert.equal(await prepared({ data: { ...data, images } }), said(count - about));
  });

  test("is shared by two ranks", async () => {
    const path = join(folder, "ranks.jsonl");
    await inRanks(2, "step", stored("ranks", path));
    const alone = join(folder, "alone.jsonl");
    using _ = await prepareStage(stored("ranks", alone), quiet);
    assert.deepEqual(linesOf(path), linesOf(alone));
  });
});

/** The pairs with their answers exchanged, in a file. */
function turnedRows(): string {
  const path = join(folder, "turned.jsonl");
  const rows = pairRows.map((row) => ({ ...row, chosen: row.rejected, rejected: row.chosen }));
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join("\n"));
  return path;
}

test("the log probabilities of two answers behind one prompt are those of rows by themselves", async () => {
  const { data } = recipeFor();
  for (const model of [{}, tiles]) {
    const fields = { ...learners["full"], ...model };
    using stage = await prepareStage(recipeFor({ ...fields, packedRows: 2 }), quiet);
    const [batch] = await stage.source.next();
    const objective = stage.objective as unknown as PreferenceObjective;
    const pairs = objective.logProbabilities(batch as PairBatch);
    const together = batch!.samples.map((id, at) => [`${at % 2} ${id}`, pairs[at]!] as const);
    batch![Symbol.dispose]();
    const alone = new Map<string, number>();
    for (const [side, rows] of [data.rows, turnedRows()].entries()) {
      // Of pairs the supervised objective learns the chosen answer.
      const one = {
        ...fields,
        data: { ...data, rows },
        batchSize: 1,
        objective: { type: "supervised" } as const,
      };
      using single = await prepareStage(recipeFor(one), quiet);
      for (let step = 0; step < pairRows.length; step++) {
        const [own] = await single.source.next();
        const loss = scope(() => noGrad(() => single.objective.loss(own!).item()));
        alone.set(`${side} ${own!.samples[0]}`, -loss);
        own![Symbol.dispose]();
      }
    }
    assert.equal(alone.size, 2 * pairRows.length);
    for (const [name, value] of together) {
      const own = alone.get(name)!;
      assert.ok(Math.abs(value - own) <= 1e-5 * Math.abs(own), `${name}: ${value}, ${own}`);
    }
  }
});

test("pairs turned round have the opposite rewards, at the same weights", async () => {
  const { data } = recipeFor();
  const measures: Line[] = [];
  for (const rows of [data.rows, turnedRows()]) {
    const evaluation = { rows, images: data.images };
    using stage = await prepareStage(recipeFor({ ...learners["full"], evaluation }), quiet);
    noGrad(() =>
      scope(() => {
        for (const { parameters } of stage.groups)
          for (const weight of parameters.values()) weight.copy_(weight.mul(1.1));
      }),
    );
    measures.push(stage.evaluate().measures as Line);
  }
  const of = (name: string) => measures.map((line) => line[`heldOut/rewards/${name}`]!);
  const [right, turned] = of("margins") as [number, number];
  assert.ok(Math.abs(right) > 1e-2 && Math.abs(right + turned) <= 1e-5, `${right}, ${turned}`);
  for (const [at, value] of of("chosen").entries())
    assert.ok(Math.abs(value - of("rejected")[1 - at]!) <= 1e-5, `${value}`);
});

test("what is preferred gets likelier than what is not, and both are told", async () => {
  const { data } = recipeFor();
  const evaluation = { rows: data.rows, images: data.images, every: 100 };
  const recipe = recipeFor({ ...learners["full"], maxSteps: 20, evaluation }, "learnt");
  await runRecipe(recipe, quiet);
  const last = logOf(recipe).findLast((line) => "heldOutLoss" in line)!;
  assert.equal(last["heldOut/rewards/accuracies"], 1);
  assert.ok(last["heldOut/rewards/margins"]! > 0.5 && last["heldOutLoss"]! < 0.5, JSON.stringify(last));
});

describe("a run says", () => {
  test("that nothing is learnt, and stops", async () => {
    const recipe = recipeFor({ ...learners["lora"], optimizer: { learningRate: 1e-12 } }, "still");
    await assert.rejects(runRecipe({ ...recipe, maxSteps: 30 }, quiet), {
      code: "config",
      message: /^step 9: rewards and margins are still below 0\.0001: the policy is its reference/,
    });
  });

  test("once that chosen answers fall far below the reference", async () => {
    const told: string[] = [];
    const recipe = recipeFor(
      { ...learners["full"], maxSteps: 30, optimizer: { learningRate: 0.05 } },
      "fallen",
    );
    await runRecipe(recipe, { ...quiet, report: (line) => void told.push(line) });
    const about = told.filter((line) => line.includes("nats a token less likely"));
    assert.equal(about.length, 1, told.join("\n"));
  });

  test("which rows are no pairs it can use, and which fields do not go together", async () => {
    const rows = join(folder, "bad.jsonl");
    const said = {
      conversations: [
        { from: "human", value: "a" },
        { from: "gpt", value: "b" },
      ],
    };
    const equal = { prompt: "a", chosen: "the", rejected: "the" };
    const missing = { image: "gone.png", prompt: "a", chosen: "the", rejected: "dog" };
    const bad = [pairRows[0], { id: "row", ...said }, { id: "equal", ...equal }, { id: "gone", ...missing }];
    writeFileSync(rows, bad.map((row) => JSON.stringify(row)).join("\n"));
    const { data } = recipeFor();
    const prepare = async (onBadRow: "error" | "skip") => {
      const told: string[] = [];
      const recipe = recipeFor({ ...learners["lora"], data: { ...data, rows, onBadRow }, batchSize: 1 });
      using _ = await prepareStage(recipe, { ...quiet, report: (line) => void told.push(line) });
      return told;
    };
    await assert.rejects(
      prepare("error"),
      /row\): it has one answer, not a chosen and a rejected one \(3 unus/,
    );
    assert.match(
      (await prepare("skip")).join("\n"),
      /skipping 3 unusable rows, the first: .*it has one answer/,
    );
    const refused = (fields: Partial<RecipeFields>, message: RegExp) =>
      assert.throws(() => recipeFor(fields), { code: "config", message });
    refused(
      preference({ loss: "ipo", labelSmoothing: 0.1 }),
      /labelSmoothing goes with the loss "sigmoid", not "ipo"/,
    );
    refused(preference({ preferenceWeight: 0 }), /nothing is minimised/);
    refused(preference({ reference: "adaptersOff" }), /where there is no lora/);
    refused(
      { ...preference({ reference: "adaptersOff" }), lora: { rank: 2, alpha: 4 }, train: ["projector"] },
      /where projector learns too/,
    );
    refused({ data: { ...data, rowsPerImage: 2 } }, /share their prompt/);
    refused({ ...preference({ reference: "precomputed" }), data: { ...data, flips: true } }, /data\.flips/);
  });
});
