import { readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSafetensors } from "../../src/checkpoint/index.ts";
import { type Recipe, type RecipeFields, resolveRecipe } from "../../src/training/index.ts";

export const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));

/** Rows of test/fixtures/training: several turns, two images, none. */
const rowCount = 6;

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
  all: { train: ["visionTower", "projector", "languageModel"] },
  lora: { train: ["projector"], lora: { rank: 2, alpha: 4, dropout: 0.1 } },
};

/** The bytes of every weight and moment in the newest checkpoint of a run. */
export function finalBytes({ output }: Pick<Recipe, "output">): Map<string, string> {
  const checkpoints = join(output, "checkpoints");
  const newest = readdirSync(checkpoints).sort().at(-1)!;
  return new Map(
    ["weights.safetensors", "optimizer.safetensors"].flatMap((name) => {
      using file = openSafetensors(join(checkpoints, newest, name));
      const text = (tensor: string) => Buffer.from(file.read(tensor).toBytes()).toString("base64");
      return [...file.names()].map((tensor) => [tensor, text(tensor)] as const);
    }),
  );
}
