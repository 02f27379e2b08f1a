// Weights of which each rank has a part: npm test -- src/training/sharding
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { collectGarbage } from "../../../test/support/garbage.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { rowsRecipe, stages } from "../../../test/support/training-rows.ts";
import { silentProgress } from "../../setup/index.ts";
import { liveTensors } from "../../torch/index.ts";
import type { RecipeFields } from "../recipe/recipe.ts";
import { runRecipe } from "../run.ts";

const folder = temporaryFolder("llava-sharding");

/** Losses and norms of a run by one process, and the bytes of its result. */
async function ran(name: string, fields: Partial<RecipeFields>) {
  const losses: number[][] = [];
  const live: number[] = [];
  collectGarbage(); // of what came before
  const recipe = rowsRecipe(join(folder, name), { maxSteps: 3, checkpoint: { every: 2 }, ...fields });
  const { result } = await runRecipe(recipe, {
    progress: silentProgress,
    report: () => {},
    callbacks: [
      {
        afterStep: (_, { loss, gradientNorm }) => {
          losses.push([loss, gradientNorm]);
          live.push(liveTensors());
        },
      },
    ],
  });
  const file = { adapter: "adapter_model.safetensors", model: "model.safetensors" }[
    result!.split("/").at(-1)!
  ];
  return { losses, live, bytes: readFileSync(file ? join(result!, file) : result!) };
}

describe("one process with all weights in units is one without them, bit for bit", () => {
  const kinds = {
    ...stages,
    all: { ...stages["all"], features: { tilesAtOnce: 1 } },
    "lora beside int8": { ...stages["lora"], frozenWeights: "int8" as const },
  };
  for (const [stage, kind] of Object.entries(kinds))
    for (const dtype of ["float32", "bfloat16"] as const)
      test(`${stage} in ${dtype}`, async () => {
        const fields = { ...kind, dtype, optimizer: { learningRate: 2e-3, weightDecay: 0.1 } };
        for (const [accumulation, sharding] of [
          [1, "states"],
          [3, "weights"],
        ] as const) {
          const name = `${stage}-${dtype}-${accumulation}`;
          const plain = await ran(name, { ...fields, accumulation });
          const { losses, bytes, live } = await ran(`${name}-${sharding}`, {
            ...fields,
            accumulation,
            sharding,
          });
          assert.deepEqual(losses, plain.losses, sharding);
          assert.ok(withoutRecipe(bytes).equals(withoutRecipe(plain.bytes)), sharding);
          assert.ok(live.at(-1)! <= live[0]!, `live tensors after each step: ${live}`);
        }
      });
});

/** The tensors of a safetensors file: its header names the recipe. */
function withoutRecipe(bytes: Buffer): Buffer {
  return bytes.subarray(8 + Number(bytes.readBigUInt64LE()));
}
