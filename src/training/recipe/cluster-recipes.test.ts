// Recipes for clusters: npm test -- src/training/recipe/cluster-recipes.test.ts
import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { llava } from "../../../test/support/cli.ts";
import { clusterOf, planMemory, planRun, recipeSizes } from "../plan/index.ts";
import { outlineRecipe } from "../plan/outline.ts";
import { type Recipe, type RecipeFields, resolveRecipe } from "./recipe.ts";

const folder = join(import.meta.dirname, "../../../recipes");
const names = globSync("*/*-gpus.ts", { cwd: folder }).sort();

async function recipeOf(name: string): Promise<Recipe> {
  const { default: fields } = (await import(pathToFileURL(join(folder, name)).href)) as {
    default: RecipeFields;
  };
  return resolveRecipe({ ...fields, data: { ...fields.data, rows: "rows.json", images: "images" } });
}

test("there is one of each stage for 7B, 13B, 34B, 72B and 110B", () => {
  assert.deepEqual(
    names.map((name) => name.replaceAll("\\", "/")),
    [
      ...["llava-1.5-13b/finetune-8", "llava-1.5-13b/pretrain-8"],
      ...["llava-1.5-7b/finetune-8", "llava-1.5-7b/pretrain-8"],
      ...["llava-next-qwen1.5-110b/finetune-128", "llava-next-qwen1.5-110b/pretrain-128"],
      ...["llava-next-qwen1.5-72b/finetune-64", "llava-next-qwen1.5-72b/pretrain-64"],
      ...["llava-next-yi-34b/finetune-32", "llava-next-yi-34b/pretrain-32"],
    ].map((name) => `${name}-gpus.ts`),
  );
});

for (const name of names)
  describe(name, () => {
    const gpus = Number(/-(\d+)-gpus/.exec(name)![1]);

    test("learns what its stage learns on one device", async () => {
      const [own, one] = await Promise.all([recipeOf(name), recipeOf(name.replace(`-${gpus}-gpus`, ""))]);
      const { device, sharding, accumulation, ...rest } = own;
      assert.deepEqual([device, accumulation], ["cuda", 1]);
      assert.ok(sharding !== undefined);
      assert.deepEqual({ ...rest, device: one.device, accumulation: one.accumulation }, { ...one });
      const sizes = await recipeSizes(own);
      const learning = (recipe: Recipe) =>
        outlineRecipe(recipe, sizes).groups.map(({ parameters, learningRate }) => [parameters, learningRate]);
      assert.deepEqual(learning(own), learning(one));
    });

    test("fits into 80 GB though all rows were as long as may be, and keeps its GPUs computing", async () => {
      const recipe = await recipeOf(name);
      const sizes = await recipeSizes(recipe);
      assert.equal(recipe.batchSize % gpus, 0);
      const text = recipe.data.maxTokens - sizes.imageTokens;
      const rows = { text, supervised: 90, images: 1 };
      assert.ok(planMemory(sizes, recipe, { rows, devices: gpus }).total < 80e9);
      const { step, warnings } = planRun(sizes, recipe, clusterOf({ gpus }), { rows });
      assert.deepEqual(warnings, []);
      assert.equal(step.binds, "compute");
    });
  });

test("a dry run tells what the largest trains, and a plan how long it takes", async () => {
  const path = join(folder, "llava-next-qwen1.5-110b/finetune-128-gpus.ts");
  const [people, json] = await Promise.all([
    llava(["train", path, "--dry-run"]),
    llava(["plan", path, "--gpus", "128", "--rows", "760000", "--json"]),
  ]);
  assert.match(people.stdout, /"sharding": "weights"/);
  assert.match(people.stdout, /languageModel +111,\d{3},\d{3},\d{3} +learns at 0\.00001/);
  const { run, step, fits } = JSON.parse(json.stdout);
  assert.ok(run.hours > 4 && run.hours < 12 && step.microBatches === 1 && fits);
});
