import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Recipe, type RecipeFields, resolveRecipe } from "../../src/training/index.ts";
import { fixtures } from "./training-rows.ts";

/** Pairs about one image, two, none, and with several turns; answers of unequal lengths. */
export const pairRows = [
  { id: "one", image: "wide.png", prompt: "What is this?", chosen: "the dog", rejected: "the cat runs" },
  { id: "text", prompt: "a", chosen: "the dog runs and runs", rejected: "no" },
  { id: "two", images: ["wide.png", "tall.png"], prompt: "Which?", chosen: "one", rejected: "two of it" },
  {
    ...{ id: "turns", image: "tall.png", history: [["What?", "a dog"]], instruction: "And then?" },
    ...{ chosen: "it runs", rejected: "it is there" },
  },
  { id: "again", image: "wide.png", prompt: "Is it a dog?", chosen: "yes", rejected: "no, it is a cat" },
  { id: "six", image: "tall.png", prompt: "a", chosen: "the", rejected: "dog" },
];

/** A recipe that learns these pairs in a step, starting from a tiny checkpoint. */
export function pairsRecipe(folder: string, output: string, fields: Partial<RecipeFields> = {}): Recipe {
  mkdirSync(folder, { recursive: true });
  const rows = join(folder, "pairs.jsonl");
  writeFileSync(rows, pairRows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  return resolveRecipe({
    model: join(fixtures, "llava/llama"),
    projector: "loaded",
    objective: { type: "preference" },
    data: { rows, images: join(fixtures, "llava/images"), template: "vicuna_v1" },
    optimizer: { learningRate: 2e-3 },
    batchSize: pairRows.length,
    epochs: 1000,
    dtype: "float32",
    output: join(folder, output),
    ...fields,
  });
}

/** What learns, and which references it can have. */
export const learners: Readonly<Record<string, Partial<RecipeFields>>> = {
  full: { train: ["projector", "languageModel"] },
  all: { train: ["visionTower", "projector", "languageModel"] },
  lora: { train: [], lora: { rank: 2, alpha: 4, dropout: 0.5 } },
};
