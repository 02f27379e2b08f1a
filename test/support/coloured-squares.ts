import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { type Recipe, type RecipeFields, resolveRecipe } from "../../src/training/index.ts";

const colours = { red: "#e02020", green: "#20c020", blue: "#2020e0", white: "#f0f0f0" };

/** Squares of four colours on grey, `perColour` of each, as files and LLaVA rows. Only the image tells the word. */
export async function drawSquares(folder: string, name: string, perColour: number): Promise<string> {
  const rows = [];
  mkdirSync(folder, { recursive: true });
  for (const [colour, value] of Object.entries(colours))
    for (let i = 0; i < perColour; i++) {
      const image = `${name}-${colour}-${i}.png`;
      const square = { create: { width: 16, height: 16, channels: 3, background: value } } as const;
      const canvas = { create: { width: 28, height: 28, channels: 3, background: "#707070" } } as const;

      await sharp(canvas)
        .composite([{ input: square, left: (5 * i) % 12, top: (7 * i) % 12 }])
        .png()
        .toFile(join(folder, image));
      const conversations = [
        { from: "human", value: "<image>" },
        { from: "gpt", value: colour },
      ];
      rows.push({ id: image, image, conversations });
    }
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify(rows));
  return path;
}

/** A recipe for them on the tiny test model. */
export function squaresRecipe(folder: string, fields: Partial<RecipeFields> = {}): Recipe {
  return resolveRecipe({
    model: fileURLToPath(new URL("../fixtures/llava/llama", import.meta.url)),
    data: { rows: join(folder, "train.json"), images: folder, template: "plain", answerEnd: "</s>" },
    features: { cache: join(folder, "features"), dtype: "float32" },
    optimizer: { learningRate: 1e-2 },
    batchSize: 8,
    epochs: 1000,
    dtype: "float32",
    output: join(folder, "run"),
    ...fields,
  });
}
