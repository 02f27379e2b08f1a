// The same run by one process and by several: npm test -- src/training/sharding/ranks.test.ts
import assert from "node:assert/strict";
import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { inProcesses } from "../../../test/support/process-ranks.ts";
import { type GivenRun, type Ran, run } from "../../../test/support/rank-tasks.ts";
import { assertNear, resultValues } from "../../../test/support/results.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { fixtures, rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { alone } from "../../distributed/index.ts";
import type { Recipe, RecipeFields } from "../recipe/recipe.ts";

const folder = temporaryFolder("llava-ranks");
const optimizer = { learningRate: 2e-3, weightDecay: 0.1 };
const withoutDropout = { lora: { rank: 2, alpha: 4 } };

/** Rows of which two have an image that is none. */
function withBrokenRows(): string {
  const path = join(folder, "broken.json");
  cpSync(join(fixtures, "llava/images"), folder, { recursive: true });
  writeFileSync(join(folder, "broken.png"), "no image");
  const rows = JSON.parse(readFileSync(join(fixtures, "training/rows.json"), "utf8")) as object[];
  const broken = {
    conversations: [
      { from: "human", value: "<image>\nWhat?" },
      { from: "gpt", value: "No" },
    ],
  };
  const all = rows.flatMap((row, i) =>
    i % 3 > 0 ? [row] : [row, { id: `broken-${i}`, image: "broken.png", ...broken }],
  );
  writeFileSync(path, JSON.stringify(all));
  return path;
}

/** Each is run by one process without sharding, and by several. */
const runs: Readonly<Record<string, Partial<RecipeFields>>> = {
  "projector, batches of 4": { ...stages["projector"], batchSize: 4, sharding: "weights" },
  "full, whole weights": { ...stages["full"], accumulation: 2 },
  "full, states": { ...stages["full"], sharding: "states", accumulation: 3 },
  "full, weights, ranks without rows": { ...stages["full"], sharding: "weights", batchSize: 3 },
  "full, weights, evaluated": {
    ...stages["full"],
    sharding: "weights",
    evaluation: { rows: join(fixtures, "training/rows.json"), images: join(fixtures, "llava/images") },
  },
  "full, weights, rows that are left out": {
    ...{ ...stages["full"], sharding: "weights", batchSize: 3 },
    data: { rows: withBrokenRows(), images: folder, template: "vicuna_v1", onBadRow: "skip" },
  },
  "full in bfloat16": { ...stages["full"], sharding: "weights", dtype: "bfloat16", accumulation: 2 },
  "all, weights": { ...stages["all"], sharding: "weights", accumulation: 2 },
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
      difference += (value - other[i]!) ** 2;
      norm += value ** 2;
    }
  }
  return Math.sqrt(difference / norm);
}

/** Those in which ranks differ most are run by four as well. */
const runsOf = (ranks: number) =>
  Object.entries(runs).filter(([name]) => ranks === 2 || /batches|without|left out|all/.test(name));

describe("several processes train as one does", () => {
  const one = new Map<string, Ran>();
  const many = new Map<number, Ran[][]>();
  const given = (ranks: number): GivenRun[] =>
    runsOf(ranks).map(([name, fields]) => ({ recipe: recipeOf(name, ranks, fields) }));
  for (const [name, { sharding: _, ...fields }] of Object.entries(runs))
    test(`one process: ${name}`, async () => {
      one.set(name, await run(alone, { recipe: recipeOf(name, 1, fields) }));
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
          assert.deepEqual(own.samples, expected.samples);
          assert.deepEqual(own.losses, all[0]!.losses);
          assertNear(own.losses, expected.losses, within, "loss");
          assertNear(own.norms, expected.norms, dtype === "bfloat16" ? 5e-3 : 2e-6, "norm");
        }
        const [first, ...others] = all.map(({ result }) => result);
        assert.ok(others.every((result) => result === undefined));
        const apart = distance(resultValues(first!), resultValues(expected.result!));
        assert.ok(apart <= (dtype === "bfloat16" ? 5e-3 : 2e-6), `weights ${apart} apart`);
      });
});
