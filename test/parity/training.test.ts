// Ten steps of the whole engine against a plain PyTorch loop over transformers' models: npm test -- test/parity/training.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentProgress } from "../../src/setup/index.ts";
import { type RecipeFields, runRecipe } from "../../src/training/index.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fixtures, rowsRecipe } from "../support/training-rows.ts";

const scratch = temporaryFolder("llava-training-parity");

interface Case {
  readonly model: string;
  readonly template: string;
  readonly train: RecipeFields["train"];
  readonly projectorLearningRate?: number;
  readonly visionTowerLearningRate?: number;
  readonly lora?: RecipeFields["lora"];
  readonly units: number;
  readonly losses: readonly number[];
  readonly gradientNorms: readonly number[];
}

interface Settings {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly warmupRatio: number;
}

const { settings, cases } = JSON.parse(readFileSync(join(fixtures, "training/losses.json"), "utf8")) as {
  settings: Settings;
  cases: Record<string, Case>;
};
const TOLERANCE = 1e-5; // measured: losses within 8e-7, gradient norms within 2e-6 of themselves

function recipeOf(name: string, { model, template, train, lora, ...each }: Case, output: string) {
  const { warmupRatio, betas, ...optimizer } = settings;
  const { projectorLearningRate, visionTowerLearningRate } = each;
  return rowsRecipe(join(scratch, `${name}-${output}`), {
    model: join(fixtures, "llava", model),
    ...(train && { train }),
    ...(lora && {
      lora: { ...lora, start: join(fixtures, "training", name === "lora" ? "adapter" : `adapter-${name}`) },
    }),
    data: { ...rowsRecipe("unused").data, template },
    optimizer: {
      ...optimizer,
      betas: [...betas],
      ...(projectorLearningRate && { projectorLearningRate }),
      ...(visionTowerLearningRate && { visionTowerLearningRate }),
    },
    schedule: { type: "cosine", warmupRatio },
    accumulation: 3,
    packedRows: 2,
    epochs: 10,
  });
}

for (const [name, each] of Object.entries(cases))
  test(`${name} has the losses and gradient norms of PyTorch's ten steps`, async () => {
    const recipe = recipeOf(name, each, "run");
    await runRecipe(recipe, { progress: silentProgress, report: () => {} });
    const lines = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
    const steps = lines.map(
      (line) => JSON.parse(line) as { loss: number; gradientNorm: number; units: number },
    );
    assert.equal(steps.length, each.losses.length);
    for (const [i, { loss, gradientNorm, units }] of steps.entries()) {
      assert.equal(units, each.units);
      const difference = Math.abs(loss - each.losses[i]!);
      assert.ok(difference <= TOLERANCE, `step ${i + 1}: loss ${loss}, expected ${each.losses[i]}`);
      assert.ok(Math.abs(gradientNorm / each.gradientNorms[i]! - 1) <= 1e-3, `gradient norm ${gradientNorm}`);
    }
  });
