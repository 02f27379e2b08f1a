// The same run by one process and by several: npm test -- src/training/sharding/ranks.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pairsRecipe } from "../../../test/support/pair-rows.ts";
import { inProcesses } from "../../../test/support/process-ranks.ts";
import { type GivenRun, type Ran, run } from "../../../test/support/rank-tasks.ts";
import { assertNear, resultValues } from "../../../test/support/results.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { fixtures, rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { openSafetensors, writeSafetensors } from "../../checkpoint/index.ts";
import { alone } from "../../distributed/index.ts";
import { scope } from "../../torch/index.ts";
import type { Recipe, RecipeFields } from "../recipe/recipe.ts";

const folder = temporaryFolder("llava-ranks");
const optimizer = { learningRate: 2e-3, weightDecay: 0.1 };
const withoutDropout = { lora: { rank: 2, alpha: 4 } };

/** A row with an image that is none and one with an image: of two ranks, one has none that it can use. */
function withBrokenRow(): string {
  const path = join(folder, "broken.json");
  cpSync(join(fixtures, "llava/images"), folder, { recursive: true });
  writeFileSync(join(folder, "broken.png"), "no image");
  const [row] = JSON.parse(readFileSync(join(fixtures, "training/rows.json"), "utf8")) as object[];
  writeFileSync(path, JSON.stringify([{ ...row, id: "broken", image: "broken.png" }, row]));
  return path;
}

/** The model without numbers for a word that stands in the row "short" alone. */
function withoutWord(): string {
  const word = 43;
  const [source, target] = [join(fixtures, "llava/llama"), join(folder, "without-word")];
  cpSync(source, target, { recursive: true });
  using weights = openSafetensors(join(source, "model.safetensors"));
  const tensors = new Map([...weights.names()].map((name) => [name, weights.read(name).clone()]));
  const [words] = [...tensors].flatMap(([name, tensor]) => (/embed_tokens/.test(name) ? [tensor] : []));
  scope(() => void words!.select(0, word).fill_(Number.NaN));
  writeSafetensors(join(target, "model.safetensors"), tensors);
  return target;
}

/** Of the objective "preference". */
const pairs = (reference: "adaptersOff" | "copy" | "precomputed"): Partial<RecipeFields> => {
  const { objective, data } = pairsRecipe(folder, "unused");
  return {
    ...{ objective: { ...objective, type: "preference", reference }, batchSize: 3, sharding: "weights" },
    data: { rows: data.rows, images: data.images, template: "vicuna_v1" },
    evaluation: { rows: data.rows, images: data.images },
  };
};
const evaluation = { rows: join(fixtures, "training/rows.json"), images: join(fixtures, "llava/images") };
const planted = { ...stages["full"], model: withoutWord(), batchSize: 2 };

/** Each is run by one process without sharding, and by several. */
const runs: Readonly<Record<string, Partial<RecipeFields>>> = {
  "projector, batches of 4": { ...stages["projector"], batchSize: 4, sharding: "weights" },
  "full, whole weights": { ...stages["full"], accumulation: 2 },
  "full, states, groups of one": {
    ...{ ...stages["full"], sharding: "states", shardingGroup: 1, accumulation: 3 },
  },
  "full, weights in groups of two, ranks without rows": {
    ...{ ...stages["full"], sharding: "weights", shardingGroup: 2, batchSize: 3 },
  },
  "full, weights, evaluated": { ...stages["full"], sharding: "weights", evaluation },
  "full, weights, all rows of a rank left out": {
    ...{ ...stages["full"], sharding: "weights", batchSize: 2 },
    data: { rows: withBrokenRow(), images: folder, template: "vicuna_v1", onBadRow: "skip" },
  },
  "full, weights, a row whose loss is not finite, its step skipped": {
    ...{ ...planted, sharding: "weights", guards: { nonFinite: "skip" }, evaluation },
  },
  "full, states, a row whose loss is not finite, the run stopped": { ...planted, sharding: "states" },
  "pairs without batches beside adapters": {
    ...{ ...stages["lora"], train: [], ...withoutDropout, ...pairs("adaptersOff") },
  },
  "pairs, batches of a frozen copy": { ...stages["full"], ...pairs("copy"), shardingGroup: 2 },
  "pairs, batches with a reference known before": { ...stages["full"], ...pairs("precomputed") },
  "full in bfloat16": { ...stages["full"], sharding: "weights", dtype: "bfloat16", accumulation: 2 },
  "all, weights in groups of two": {
    ...{ ...stages["all"], sharding: "weights", shardingGroup: 2, accumulation: 2 },
    features: { tilesAtOnce: 1 },
  },
  "adapters over a sharded base": { ...stages["lora"], ...withoutDropout, sharding: "weights" },
  "adapters over a sharded base in int8": {
    ...{ ...stages["lora"], ...withoutDropout, sharding: "weights", frozenWeights: "int8" },
  },
};

const recipeOf = (name: string, ranks: number, fields: Partial<RecipeFields>): Recipe =>
  rowsRecipe(join(folder, `${name}-${ranks}`.replaceAll(/\W+/g, "-")), {
    ...{ maxSteps: 4, checkpoint: { every: 100 }, optimizer },
    ...fields,
  });

/** Norm of the difference over the norm. */
function distance(values: ReadonlyMap<string, number[]>, others: ReadonlyMap<string, number[]>): number {
  let [difference, norm] = [0, 0];
  for (const [name, own] of values) {
    // Its true gradient is 0: Adam makes steps of the noise.
    if (name.endsWith("k_proj.bias")) continue;
    const other = others.get(name)!;
    assert.equal(own.length, other.length, name);
    for (const [i, value] of own.entries()) {
      if (Number.isNaN(value) && Number.isNaN(other[i])) continue;
      difference += (value - other[i]!) ** 2;
      norm += value ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Those in which ranks differ most are run by four as well. */
const runsOf = (ranks: number) =>
  Object.entries(runs).filter(([name]) => ranks === 2 || /batches|without|finite|all|of two/.test(name));

describe("several processes train as one does", () => {
  const one = new Map<string, Ran>();
  const many = new Map<number, Ran[][]>();
  const given = (ranks: number): GivenRun[] =>
    runsOf(ranks).map(([name, fields]) => ({
      recipe: recipeOf(name, ranks, fields),
      fails: /stopped/.test(name),
    }));
  for (const [name, { sharding: _, shardingGroup: __, ...fields }] of Object.entries(runs))
    test(`one process: ${name}`, async () => {
      const recipe = recipeOf(name, 1, fields);
      one.set(name, await run(alone, { recipe, fails: /stopped/.test(name) }));
    });
  for (const ranks of [2, 4])
    test(`${ranks} processes`, async () => {
      many.set(ranks, await inProcesses<Ran[]>(ranks, "runs", given(ranks)));
    });
  for (const ranks of [2, 4])
    for (const [at, [name, { dtype }]] of runsOf(ranks).entries())
      test(`${name}, ${ranks} ranks`, () => {
        const expected = one.get(name)!;
        const all = many.get(ranks)!.map((own) => own[at]!);
        const within = dtype === "bfloat16" ? 5e-4 : 1e-6;
        for (const own of all) {
          for (const field of ["samples", "suspects", "skipped", "error"] as const)
            assert.deepEqual(own[field], expected[field]);
          assert.deepEqual(own.losses, all[0]!.losses);
          assertNear(own.losses, expected.losses, within, "loss");
          assertNear(own.norms, expected.norms, dtype === "bfloat16" ? 5e-3 : 2e-6, "norm");
        }
        const [first, ...others] = all.map(({ result }) => result);
        assert.ok(others.every((result) => result === undefined));
        if (expected.result === undefined) return;
        const apart = distance(resultValues(first!), resultValues(expected.result!));
        assert.ok(apart <= (dtype === "bfloat16" ? 5e-3 : 2e-6), `weights ${apart} apart`);
      });
});
