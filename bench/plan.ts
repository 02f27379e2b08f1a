/**
 * Peak memory of training runs beside what `llava plan` says of their recipes, each in a process of its own:
 *
 *   node bench/plan.ts --tokenizer FOLDER [--only NAME] [--steps 3] [--json]
 *
 * Stage 1 of the default model, stage 2 of it by adapters with and without activation checkpointing, and full fine-tuning of a
 * random LLaVA of middling size in float32. Images and rows are made up; FOLDER holds the tokenizer of a Llama 2 or Vicuna.
 * The peak is that of the process as the kernel counts it (VmHWM), from its start to its end.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import pretrain from "../recipes/llava-smol-135m/pretrain.ts";
import {
  planMemory,
  type Recipe,
  type RecipeFields,
  type RowLengths,
  recipeSizes,
  resolveRecipe,
  runRecipe,
} from "../src/training/index.ts";
import { writeRandomCheckpoint } from "./random-checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    tokenizer: { type: "string", default: "" },
    only: { type: "string" },
    steps: { type: "string", default: "3" },
    json: { type: "boolean", default: false },
    child: { type: "string" },
  },
});

const ROWS = 64;
const MIDDLING = {
  text: { hidden: 512, intermediate: 1376, layers: 8, heads: 8 },
  vision: { hidden: 384, intermediate: 1536, layers: 12, heads: 6, imageSize: 224 },
};

const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

if (flags.child !== undefined) {
  const silent = () => ({ update() {}, increment() {}, stop() {} });
  await runRecipe(JSON.parse(flags.child) as Recipe, { report: () => {}, progress: silent });
  console.log(process.resourceUsage().maxRSS * 1024);
} else await comparePlans();

/** Rows about images of their own: a question, and an answer of so many words. */
async function writeRows(folder: string, words: number): Promise<{ rows: string; images: string }> {
  mkdirSync(folder);
  const answer = Array.from({ length: words }, (_, i) => ["red", "blue", "green", "small"][i % 4]).join(" ");
  const rows = await Promise.all(
    Array.from({ length: ROWS }, async (_, i) => {
      const background = { r: (37 * i) % 256, g: (91 * i) % 256, b: 128 };
      const image = `${i}.jpg`;
      await sharp({ create: { width: 320, height: 240, channels: 3, background } })
        .jpeg()
        .toFile(join(folder, image));
      const turns = [
        { from: "human", value: "<image>\nWhat is in the picture?" },
        { from: "gpt", value: answer },
      ];
      return { id: String(i), image, conversations: turns };
    }),
  );
  const path = join(folder, "rows.json");
  writeFileSync(path, JSON.stringify(rows));
  return { rows: path, images: folder };
}

async function comparePlans(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
  try {
    const captions = await writeRows(join(folder, "captions"), 18);
    const answers = await writeRows(join(folder, "answers"), 150);
    const cache = { cache: join(folder, "features") };
    const shared = { maxSteps: Number(flags.steps) };
    const stage2: RecipeFields = {
      model: pretrain.model,
      ...shared,
      lora: { rank: 64, alpha: 128 },
      data: answers,
      features: cache,
      optimizer: { learningRate: 1e-4 },
      batchSize: 16,
    };
    const middling = join(folder, "model");
    const cases: Record<string, RecipeFields> = {
      "stage 1": {
        ...pretrain,
        ...shared,
        data: { ...pretrain.data, ...captions, rowsPerImage: 1 },
        features: cache,
      },
      "stage 2 by adapters": stage2,
      "stage 2 by adapters, recomputing": { ...stage2, activationCheckpointing: true },
      "full, float32": {
        model: middling,
        ...shared,
        projector: "loaded",
        train: ["projector", "languageModel"],
        data: { ...answers, template: "v1" },
        optimizer: { learningRate: 1e-5 },
        batchSize: 8,
        accumulation: 2,
        dtype: "float32",
      },
    };
    for (const [name, fields] of Object.entries(cases)) {
      if (flags.only !== undefined && !name.startsWith(flags.only)) continue;
      if (fields.model === middling) writeRandomCheckpoint(middling, MIDDLING, flags.tokenizer);
      const recipe = resolveRecipe({ ...fields, output: join(folder, name) });
      const measured = peakOf(recipe);
      const sizes = await recipeSizes(recipe);
      const plan = planMemory(sizes, recipe, { rows: rowLengths(recipe, sizes.imageTokens) });
      const difference = (plan.total - measured) / measured;
      if (flags.json) console.log(JSON.stringify({ name, planned: plan.total, measured, difference }));
      else
        console.log(
          `${name.padEnd(34)} planned ${mebibytes(plan.total)}, measured ${mebibytes(measured)}: ` +
            `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toFixed(1)} %`,
        );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the first step's rows were like, each with one image and none sharing it. */
function rowLengths({ output, batchSize }: Recipe, imageTokens: number): RowLengths {
  const [first] = readFileSync(join(output, "log.jsonl"), "utf8").split("\n");
  const { tokens, units } = JSON.parse(first!) as { tokens: number; units: number };
  // The last token of a row is only predicted, not seen.
  return { text: tokens / batchSize - imageTokens + 1, supervised: units / batchSize, images: 1 };
}

/** Bytes. */
function peakOf(recipe: Recipe): number {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [import.meta.filename, "--child", JSON.stringify(recipe)],
    { encoding: "utf8", maxBuffer: 2 ** 24 },
  );
  if (status !== 0) throw new Error(stderr);
  return Number(stdout.trim().split("\n").at(-1));
}
