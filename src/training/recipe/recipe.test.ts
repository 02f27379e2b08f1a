// Recipes and their overrides: npm test -- src/training/recipe
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import large from "../../../recipes/llava-1.5-7b/pretrain.ts";
import small from "../../../recipes/llava-smol-135m/pretrain.ts";
import { LlavaError } from "../../errors.ts";
import { parseOverrides } from "./overrides.ts";
import { objectiveOf, type RecipeFields, resolveRecipe } from "./recipe.ts";
import { requireSameRecipe } from "./same-recipe.ts";

const needed = ["--data.rows", "rows.json", "--data.images", "images", "--output", "out"];
const resolve = (fields: RecipeFields, words: readonly string[]) =>
  resolveRecipe(fields, parseOverrides([...needed, ...words]));

describe("a recipe", () => {
  test("of this project holds together once its paths are given", () => {
    const { optimizer, schedule, batchSize, epochs } = resolve(large, []);
    // arXiv 2310.03744, table 9
    assert.deepEqual(
      { rate: optimizer.learningRate, decay: optimizer.weightDecay, schedule, batchSize, epochs },
      { rate: 1e-3, decay: 0, schedule: { type: "cosine", warmupRatio: 0.03 }, batchSize: 256, epochs: 1 },
    );
    assert.equal(resolve(small, []).data.answerEnd, "<|im_end|>");
  });

  test("takes options spelt as those of other commands are", () => {
    const { visionTower, base } = resolve(small, ["--vision-tower", "clip", "--base=vicuna"]);
    assert.deepEqual([visionTower, base], ["clip", "vicuna"]);
    assert.equal(resolve(small, ["--optimizer.learning-rate", "0.5"]).optimizer.learningRate, 0.5);
  });

  test("says which fields are missing, by their paths", () => {
    assert.throws(
      () => resolveRecipe(small),
      (error) =>
        error instanceof LlavaError && /data\.rows/.test(error.message) && /output/.test(error.message),
    );
  });

  test("with a misspelt field is refused, naming the nearest one", () => {
    for (const [fields, expected] of [
      [{ optimiser: {} }, /no field "optimiser"; did you mean "optimizer"/],
      [{ data: { template: "plain", flip: true } }, /no field "data.flip"; did you mean "data.flips"/],
      [{ learningRate: 1 }, /no field "learningRate"; did you mean "optimizer.learningRate"/],
    ] as const)
      assert.throws(() => resolve({ ...small, ...fields } as RecipeFields, []), expected);
  });

  test("is supervised where it names no objective, and records nothing of that", () => {
    const [unnamed, named] = [resolve(small, []), resolve(small, ["--objective.type", "supervised"])];
    assert.equal("objective" in unnamed, false);
    assert.deepEqual(
      [objectiveOf(unnamed), named.objective],
      [{ type: "supervised" }, { type: "supervised" }],
    );
    requireSameRecipe(unnamed, named, "out");
    requireSameRecipe(named, unnamed, "out");
    assert.throws(() => resolve(small, ["--objective.type", "preferred"]), /objective\.type/);
    assert.throws(() => resolve(small, ["--objective.kind", "x"]), /no field "objective.kind"/);
  });

  test("that trains nothing, or the same weights in two ways, is refused", () => {
    const lora = { rank: 1, alpha: 1 };
    assert.throws(() => resolve({ ...small, train: [] }, []), /trains nothing/);
    assert.deepEqual(resolve({ ...small, train: [], lora }, []).train, []);
    const whole: RecipeFields = { ...small, train: ["languageModel"] };
    assert.throws(() => resolve({ ...whole, lora }, []), /both whole and by adapters/);
    assert.throws(() => resolve({ ...whole, frozenWeights: "int8" }, []), /frozenWeights is "int8"/);
  });

  test("survives being written as JSON", () => {
    const recipe = resolve(small, ["--evaluation.rows", "e.json", "--evaluation.images", "i"]);
    assert.deepEqual(resolveRecipe(JSON.parse(JSON.stringify(recipe))), recipe);
  });
});

describe("an override", () => {
  test("replaces a field, read as the field's type", () => {
    const words = [
      "--optimizer.learningRate",
      "1e-4",
      "--optimizer.betas=0.8,0.9",
      "--data.flips",
      "--seed",
      "7",
    ];
    const { learningRate } = small.optimizer;
    const recipe = resolve(small, [
      ...words,
      "--data.answerEnd",
      "\n",
      "--schedule.type",
      "linear",
      "--maxSteps=9",
    ]);
    assert.equal(recipe.optimizer.learningRate, 1e-4);
    assert.deepEqual(recipe.optimizer.betas, [0.8, 0.9]);
    assert.equal(recipe.data.flips, true);
    assert.equal(recipe.data.answerEnd, "\n");
    assert.deepEqual([recipe.seed, recipe.schedule.type, recipe.maxSteps], [7, "linear", 9]);
    assert.equal(small.optimizer.learningRate, learningRate, "the recipe itself is not changed");
  });

  test("of a path that looks like a number stays text", () => {
    assert.equal(resolve(small, ["--output", "2026"]).output, "2026");
  });

  test("of an unknown field is refused, naming the nearest one", () => {
    const refused = (path: string, nearest: string) =>
      assert.throws(
        () => resolve(small, [`--${path}`, "1"]),
        new RegExp(`"${path}"; did you mean "${nearest}"`),
      );
    refused("optimizer.learningrate", "optimizer.learningRate");
    refused("learningRate", "optimizer.learningRate");
    refused("batchsize", "batchSize");
    refused("optimizer.lr", "optimizer.learningRate");
    refused("data.flip", "data.flips");
  });

  test("with a wrong value is refused by its path", () => {
    assert.throws(() => resolve(small, ["--optimizer.learningRate", "fast"]), /optimizer\.learningRate/);
    assert.throws(() => resolve(small, ["--optimizer.learningRate", "-1"]), /optimizer\.learningRate/);
    assert.throws(() => resolve(small, ["--schedule.type", "step"]), /schedule\.type/);
    assert.throws(() => resolve(small, ["loose"]), /"loose" stands where/);
  });
});
