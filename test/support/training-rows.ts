import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "../../src/checkpoint/index.ts";
import { type Recipe, type RecipeFields, resolveRecipe } from "../../src/training/index.ts";

export const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** Rows of test/fixtures/training: several turns, two images, none. */
export const rowCount = 6;

/** A recipe that trains on all of these rows in a step, starting from a tiny checkpoint with its projector. */
export const rowsRecipe = (output: string, fields: Partial<RecipeFields> = {}): Recipe =>
  resolveRecipe({
    model: join(fixtures, "llava/llama"),
    projector: "loaded",
    data: {
      rows: join(fixtures, "training/rows.json"),
      images: join(fixtures, "llava/images"),
      template: "vicuna_v1",
    },
    optimizer: { learningRate: 2e-3 },
    batchSize: rowCount,
    epochs: 1000,
    dtype: "float32",
    output,
    ...fields,
  });

/** What each kind of run trains. */
export const stages: Readonly<Record<string, Partial<RecipeFields>>> = {
  projector: { train: ["projector"] },
  full: { train: ["projector", "languageModel"] },
  lora: { train: ["projector"], lora: { rank: 2, alpha: 4, dropout: 0.1 } },
};

/** The bytes of every tensor in a run's result, a file or the folder of an adapter. */
export function resultBytes(result: string): Map<string, string> {
  const path = result.endsWith(".safetensors") ? result : join(result, "adapter_model.safetensors");
  using file = openSafetensors(path);
  const text = (name: string) => Buffer.from(file.read(name).toBytes()).toString("base64");
  return new Map([...file.names()].map((name) => [name, text(name)]));
}
