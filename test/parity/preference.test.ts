// Ten steps on pairs against TRL's DPOTrainer: npm test -- test/parity/preference.test.ts
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { silentProgress } from "../../src/setup/index.ts";
import { type RecipeFields, resolveRecipe, runRecipe } from "../../src/training/index.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { fixtures } from "../support/training-rows.ts";

const scratch = temporaryFolder("llava-preference-parity");

interface Told {
  readonly learningRate: number;
  readonly beta: number;
  readonly cases: Record<string, { readonly steps: readonly Record<string, number>[] }>;
}
const told = JSON.parse(readFileSync(join(fixtures, "preference/trl.json"), "utf8")) as Told;

/** TRL's settings as fields of a recipe. */
const objectives: Record<string, object> = {
  sigmoid: {},
  "sigmoid with sft": { preferenceWeight: 2, sftWeight: 0.5 },
  robust: { labelSmoothing: 0.1, smoothing: "robust" },
  hinge: { loss: "hinge" },
  ipo: { loss: "ipo" },
  sigmoid_norm: { loss: "sigmoid_norm" },
  apo_zero: { loss: "apo_zero" },
  tail: { tailWeight: 0.5 },
  adapter: {},
};

for (const [name, { steps }] of Object.entries(told.cases))
  test(`${name} has the losses, rewards and log probabilities of TRL's ten steps`, async () => {
    const learns: Partial<RecipeFields> =
      name === "adapter"
        ? { train: [], lora: { rank: 4, alpha: 16, start: join(fixtures, "training/adapter") } }
        : { train: ["projector", "languageModel"] };
    const recipe = resolveRecipe({
      model: join(fixtures, "llava/llama"),
      projector: "loaded",
      ...learns,
      objective: { type: "preference", beta: told.beta, ...objectives[name] },
      data: {
        rows: join(fixtures, "preference/pairs.json"),
        images: join(fixtures, "llava/images"),
        template: "vicuna_v1",
      },
      optimizer: { learningRate: told.learningRate },
      schedule: { type: "constant", warmupRatio: 0 },
      batchSize: 4,
      accumulation: 2,
      epochs: 10,
      dtype: "float32",
      output: join(scratch, name),
    });
    await runRecipe(recipe, { progress: silentProgress, report: () => {} });
    const lines = readFileSync(join(recipe.output, "log.jsonl"), "utf8").trim().split("\n");
    assert.equal(lines.length, steps.length);
    for (const [i, expected] of steps.entries()) {
      const line = JSON.parse(lines[i]!) as Record<string, number>;
      for (const [measure, value] of Object.entries(expected)) {
        const difference = Math.abs(line[measure]! - value);
        assert.ok(
          difference <= 1e-5 * Math.max(1, Math.abs(value)),
          `step ${i + 1}: ${measure} ${line[measure]}, expected ${value}`,
        );
      }
    }
  });
