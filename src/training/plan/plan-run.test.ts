// The time of runs on clusters: npm test -- src/training/plan/plan-run.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, test } from "node:test";
import fc from "fast-check";
import { describedClusters } from "../../../bench/cluster-table.ts";
import { clusterRecipe, foretell, publishedRuns } from "../../../bench/published-runs.ts";
import type { Recipe } from "../recipe/recipe.ts";
import {
  advise,
  clusterOf,
  fastestShape,
  type ModelSizes,
  planMemory,
  planRun,
  recipeSizes,
  renderRun,
  type StepOptions,
} from "./index.ts";

describe("published runs are foretold within a fifth", () => {
  for (const run of publishedRuns)
    test(`${run.recipe} on ${run.gpus} × ${run.gpu}`, async () => {
      const { run: foretold } = await foretell(run);
      const { hours } = foretold!;
      assert.ok(Math.abs(hours / run.hours - 1) <= 0.2, `${hours} hours foretold, ${run.hours} told`);
    });

  test("the largest was bound by its network, the others by computing", async () => {
    const bound = await Promise.all(publishedRuns.map(async (run) => (await foretell(run)).step.binds));
    assert.deepEqual(bound, [...Array(publishedRuns.length - 1).fill("compute"), "network"]);
  });
});

const rows = { text: 255, supervised: 90, images: 1 };
const options: StepOptions = { rows };
let seven: { recipe: Recipe; sizes: ModelSizes };
let thirteen: { recipe: Recipe; sizes: ModelSizes };
before(async () => {
  const of = async (name: string) => {
    const recipe = await clusterRecipe(name, { sharding: "weights" });
    return { recipe, sizes: await recipeSizes(recipe) };
  };
  [seven, thirteen] = await Promise.all([of("llava-1.5-7b/finetune"), of("llava-1.5-13b/finetune")]);
});

describe("a run's prediction", () => {
  test("hangs together for any cluster", () => {
    const { recipe, sizes } = seven;
    fc.assert(
      fc.property(
        fc.constantFrom(1, 2, 4, 8, 16, 64),
        fc.constantFrom(1, 2, 4, 16),
        fc.constantFrom("none" as const, "states" as const, "weights" as const),
        fc.integer({ min: 1, max: 400 }),
        (gpus, accumulation, sharding, gigabits) => {
          const plan = (network: number, options: Partial<StepOptions> = {}) =>
            planRun(
              sizes,
              { ...recipe, accumulation, sharding },
              clusterOf({ gpus, network: `8x${network}Gb`, gpu: "a100-80" }),
              { rows, ...options },
            ).step;
          const step = plan(gigabits);
          assert.ok(step.seconds >= plan(gigabits + 1).seconds);
          assert.ok(step.seconds >= Math.max(...Object.values(step.busy)) - 1e-9);
          assert.ok(plan(gigabits, { overlap: false }).seconds >= step.seconds);
          assert.ok(step.utilisation > 0 && step.utilisation < step.efficiency);
          assert.equal(step.busy.network > 0, gpus > 8);
          const faster = plan(gigabits, { efficiency: 0.7 });
          assert.ok(faster.seconds <= step.seconds && faster.busy.compute < step.busy.compute);
        },
      ),
    );
  });

  test("counts the same operations however they are split", () => {
    const { recipe, sizes } = seven;
    const useful = (gpus: number, accumulation: number): number => {
      const cluster = clusterOf({ gpus, gpu: "a100-80" });
      const { step } = planRun(sizes, { ...recipe, accumulation }, cluster, options);
      return step.utilisation * step.seconds * gpus;
    };
    for (const [gpus, accumulation] of [
      [8, 4],
      [16, 2],
      [128, 1],
    ] as const)
      assert.ok(Math.abs(useful(gpus, accumulation) / useful(1, 1) - 1) < 1e-9);
  });

  test("of what learns of all weights is near six operations a weight and token", () => {
    const { recipe, sizes } = seven;
    const cluster = clusterOf({ gpus: 1, gpu: "a100-80" });
    const { step } = planRun(sizes, { ...recipe, sharding: "none" }, cluster, options);
    const operations = step.utilisation * step.seconds * cluster.gpu.peak;
    const tokens = recipe.batchSize * (sizes.imageTokens + rows.text - 1);
    const ratio = operations / (6 * sizes.layerMatrices * tokens);
    // Attention, the head at answers alone, and the tower come on top.
    assert.ok(ratio > 1 && ratio < 1.12, `${ratio}`);
  });

  test("warns of sharded weights that cross a slow network in each of many micro-batches", () => {
    const { recipe, sizes } = thirteen;
    const slow = clusterOf({ gpus: 8, nodes: 2, gpu: "a100-80", network: "100Gb" });
    const accumulating = { ...recipe, accumulation: 8 };
    const { warnings, step } = planRun(sizes, accumulating, slow, options);
    assert.equal(step.binds, "network");
    assert.match(
      warnings.join("\n"),
      /cross the network in each of 8 micro-batches: 26\.0 GB into each machine/,
    );
    assert.match(warnings.join("\n"), /one machine of these would take/);
    for (const other of [{ sharding: "states" }, { ...accumulating, shardingGroup: "machine" }] as const)
      assert.ok(planRun(sizes, { ...recipe, ...other }, slow, options).step.seconds < step.seconds / 2);
    assert.deepEqual(planRun(sizes, recipe, clusterOf({ gpus: 8 }), options).warnings, []);
  });

  test("warns of rows that GPUs go without, and of uneven shares", () => {
    const { recipe, sizes } = seven;
    const warned = (gpus: number): string =>
      planRun(sizes, recipe, clusterOf({ gpus }), options).warnings.join("\n");
    assert.match(warned(256), /128 rows leaves 128 of 256 GPUs without one/);
    assert.match(warned(24), /128 rows are not shared evenly by 24 GPUs: all wait for those with 6/);
  });

  test("is told for people with hours where the rows are known", () => {
    const { recipe, sizes } = seven;
    const lines = renderRun(
      planRun(sizes, recipe, clusterOf({ gpus: 16 }), { ...options, dataRows: 665_298 }),
    );
    assert.match(lines[0]!, /^on 16 × H100 80 GB in 2 machines, 360\.0 GB\/s .* hours for 665,298 rows$/);
  });

  test("is of a cluster that can be", () => {
    assert.throws(() => clusterOf({ gpus: 8, nodes: 3 }), /8 GPUs are not shared evenly by 3 machines/);
    assert.throws(() => clusterOf({ gpus: 8, gpu: "abacus" }), /"abacus"/);
    assert.throws(() => clusterOf({ gpus: 8, network: "fast" }), /"fast"/);
  });
});

describe("the fastest way that fits", () => {
  test("is as fast as any, and fits", () => {
    const { recipe, sizes } = thirteen;
    const cluster = clusterOf({ gpus: 16 });
    const best = fastestShape(sizes, recipe, cluster, { rows, memory: 80e9 })!;
    assert.ok(best.plan.total <= 80e9);
    for (const sharding of ["none", "states", "weights"] as const)
      for (const accumulation of [1, 2, 8])
        for (const activationCheckpointing of [false, true]) {
          const other = { ...recipe, sharding, accumulation, activationCheckpointing };
          if (planMemory(sizes, other, { rows, devices: 16 }).total > 80e9) continue;
          assert.ok(planRun(sizes, other, cluster, options).step.seconds >= best.step.seconds);
        }
    assert.equal(fastestShape(sizes, recipe, cluster, { rows, memory: 10e9 }), undefined);
  });

  test("is told where the recipe's own is slower", () => {
    const { recipe, sizes } = seven;
    const { fastest, step } = planRun(sizes, recipe, clusterOf({ gpus: 8 }), options);
    assert.ok(fastest!.seconds < step.seconds);
    const [lines] = renderRun(planRun(sizes, recipe, clusterOf({ gpus: 8 }), options)).slice(-1);
    assert.match(lines!, /^the fastest that fits: .* with --sharding states --activationCheckpointing false/);
  });
});

test("the tables of docs/training-on-clusters.md are what the planner says", async () => {
  const path = new URL("../../../docs/training-on-clusters.md", import.meta.url);
  assert.equal(readFileSync(path, "utf8"), await describedClusters(), "node bench/cluster-table.ts --write");
});

describe("memory of sharded training", () => {
  test("falls from nothing shared to states to weights, and with devices", () => {
    const { recipe, sizes } = seven;
    const total = (sharding: Recipe["sharding"], devices: number, batchSize = 16 * devices): number =>
      planMemory(sizes, { ...recipe, batchSize, sharding }, { devices }).total;
    for (const devices of [2, 4, 8, 32]) {
      assert.ok(total("none", devices) > total("states", devices));
      assert.ok(total("states", devices) > total("weights", devices));
      assert.ok(total("weights", devices) > total("weights", 2 * devices));
    }
    // 16 bytes of each weight are shared; two of the copies of ZeRO-2 are not.
    const parameters = sizes.parameters.languageModel;
    const difference = total("weights", 2) - total("weights", 4);
    assert.ok(Math.abs(difference / (16 * parameters * (1 / 2 - 1 / 4)) - 1) < 0.05, `${difference}`);
  });

  test("is shared by the ranks of a group", () => {
    const { recipe, sizes } = thirteen;
    const total = (devices: number, group: Partial<Recipe> = {}): number =>
      planMemory(sizes, { ...recipe, batchSize: 16 * devices, ...group }, { devices, perMachine: 8 }).total;
    assert.equal(total(32, { shardingGroup: "machine" }), total(8));
    assert.equal(total(32, { shardingGroup: 16 }), total(16));
    assert.equal(total(1, { shardingGroup: 16 }), total(1)); // as it is tried before
    assert.throws(() => total(24, { shardingGroup: 16 }), {
      code: "config",
      hint: /1, 2, 3, 4, 6, 8, 12, 24/,
    });
  });

  test("is what is advised first, states before weights", () => {
    const { recipe, sizes } = thirteen;
    const whole = { ...recipe, sharding: "none" as const };
    const changes = advise(sizes, whole, 80e9, { devices: 8, rows });
    assert.deepEqual(
      changes.map(({ fields }) => fields),
      ["--sharding states"],
    );
    const fields = advise(sizes, whole, 40e9, { devices: 8, rows }).map((change) => change.fields);
    assert.deepEqual([fields[0], fields.at(-1)], ["--sharding states", "--sharding weights"]);
  });
});
