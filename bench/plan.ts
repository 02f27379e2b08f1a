/**
 * Peak memory of training runs beside what `llava plan` says of their recipes, each in a process of its own:
 *
 *   node bench/plan.ts --tokenizer FOLDER [--only NAME] [--steps 3] [--mapped] [--json]
 *
 * Both stages of the default model by their recipes, wide adapters of it with and without activation checkpointing, and full
 * fine-tuning of a random LLaVA of middling size in float32, without its tower on whole images and with it on images in tiles
 * (AnyRes), of which few or many go through it at once; and that model learning from pairs of answers with its reference as a
 * frozen copy, as itself without adapters, and computed before. Images and rows are made up; FOLDER holds the tokenizer of a
 * Llama 2 or Vicuna.
 * With --mapped every block is mapped by itself, and plans are without what an allocator holds beyond what is in use.
 * The peak is that of the process as the kernel counts it (VmHWM), from its start to its end.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import finetune from "../recipes/llava-smol-135m/finetune.ts";
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
    mapped: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
    child: { type: "string" },
  },
});

const ROWS = 96;
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

/** Rows, so many an image: a question, and an answer of so many words; in pairs a worse one as long beside it. */
async function writeRows(folder: string, words: number, { rowsPerImage = 1, arePairs = false } = {}) {
  mkdirSync(folder);
  const answer = Array.from({ length: words }, (_, i) => ["red", "blue", "green", "small"][i % 4]).join(" ");
  const rows = await Promise.all(
    Array.from({ length: ROWS }, async (_, i) => {
      const background = { r: (37 * i) % 256, g: (91 * i) % 256, b: 128 };
      const image = `${Math.floor(i / rowsPerImage)}.jpg`;
      if (i % rowsPerImage === 0)
        await sharp({ create: { width: 320, height: 240, channels: 3, background } })
          .jpeg()
          .toFile(join(folder, image));
      const turns = [
        { from: "human", value: "<image>\nWhat is in the picture?" },
        { from: "gpt", value: answer },
      ];
      if (arePairs)
        return { id: String(i), image, prompt: turns[0]!.value, chosen: answer, rejected: `no ${answer}` };
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
    const captions = await writeRows(join(folder, "captions"), 18, pretrain.data);
    const shared = await writeRows(join(folder, "shared"), 20, finetune.data);
    const answers = await writeRows(join(folder, "answers"), 150);
    const pairs = await writeRows(join(folder, "pairs"), 150, { arePairs: true });
    const cache = { cache: join(folder, "features") };
    const maxSteps = Number(flags.steps);
    const wide: RecipeFields = {
      model: finetune.model,
      maxSteps,
      lora: { rank: 64, alpha: 128 },
      data: answers,
      features: cache,
      optimizer: { learningRate: 1e-4 },
      batchSize: 16,
    };
    const middling = join(folder, "model");
    const tiled: RecipeFields = {
      model: middling,
      anyres: {},
      maxSteps,
      projector: "loaded",
      train: ["visionTower", "projector", "languageModel"],
      data: { ...answers, template: "v1" },
      optimizer: { learningRate: 1e-5 },
      batchSize: 4,
      activationCheckpointing: true,
      dtype: "float32",
    };
    const full: RecipeFields = {
      model: middling,
      maxSteps,
      projector: "loaded",
      train: ["projector", "languageModel"],
      data: { ...answers, template: "v1" },
      optimizer: { learningRate: 1e-5 },
      batchSize: 8,
      accumulation: 2,
      dtype: "float32",
    };
    const preferences = {
      ...full,
      data: { ...pairs, template: "v1" },
      batchSize: 4,
      objective: { type: "preference" },
    } as const;
    const computedBefore = { ...preferences.objective, reference: "precomputed" } as const;
    const cases: Record<string, RecipeFields> = {
      "stage 1": {
        ...pretrain,
        maxSteps,
        data: { ...pretrain.data, ...captions },
        features: cache,
      },
      "stage 2": { ...finetune, maxSteps, data: { ...finetune.data, ...shared }, features: cache },
      "wide adapters": wide,
      "wide adapters, recomputing": { ...wide, activationCheckpointing: true },
      "full, float32": full,
      "tiles, tower learning": tiled,
      "tiles, 4 at once": { ...tiled, features: { tilesAtOnce: 4 } },
      "preferences, frozen copy": preferences,
      "preferences, adapters off": { ...preferences, train: [], lora: { rank: 64, alpha: 128 } },
      "preferences, computed before": { ...preferences, objective: computedBefore },
    };
    for (const [name, fields] of Object.entries(cases)) {
      if (flags.only !== undefined && !name.startsWith(flags.only)) continue;
      if (fields.model === middling) writeRandomCheckpoint(middling, MIDDLING, flags.tokenizer);
      const recipe = resolveRecipe({ ...fields, output: join(folder, name) });
      const measured = peakOf(recipe);
      const sizes = await recipeSizes(recipe);
      const plan = planMemory(sizes, recipe, { rows: rowLengths(recipe, sizes.imageTokens) });
      const allocator = plan.parts.find((part) => part.name === "allocator")!.bytes;
      const planned = flags.mapped ? plan.total - allocator : plan.total;
      const difference = (planned - measured) / measured;
      const seconds = secondsOf(recipe);
      if (flags.json) console.log(JSON.stringify({ name, planned, measured, difference, seconds }));
      else
        console.log(
          `${name.padEnd(34)} planned ${mebibytes(planned)}, measured ${mebibytes(measured)}: ` +
            `${difference < 0 ? "−" : "+"}${(100 * Math.abs(difference)).toFixed(1)} %; ${seconds.toFixed(1)} s a step`,
        );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of the fastest step. */
function secondsOf({ output }: Recipe): number {
  const lines = readFileSync(join(output, "log.jsonl"), "utf8").trim().split("\n");
  return Math.min(...lines.map((line) => (JSON.parse(line) as { seconds: number }).seconds));
}

/** What the first step's rows were like. */
function rowLengths({ output, batchSize, data }: Recipe, imageTokens: number): RowLengths {
  const [first] = readFileSync(join(output, "log.jsonl"), "utf8").split("\n");
  const line = JSON.parse(first!) as { tokens: number; units: number; [measure: string]: number };
  const { tokens, units } = line;
  const ofPairs = (line["lengths/chosen"] ?? 0) + (line["lengths/rejected"] ?? 0);
  // The last token of a row is only predicted, not seen.
  const text = tokens / batchSize - imageTokens / data.rowsPerImage + 1;
  return { text, supervised: ofPairs || units / batchSize, images: 1, frames: 0 };
}

/** Bytes. */
function peakOf(recipe: Recipe): number {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [import.meta.filename, "--child", JSON.stringify(recipe)],
    {
      encoding: "utf8",
      maxBuffer: 2 ** 24,
      env: { ...process.env, ...(flags.mapped && { MALLOC_MMAP_THRESHOLD_: "65536" }) },
    },
  );
  if (status !== 0) throw new Error(stderr);
  return Number(stdout.trim().split("\n").at(-1));
}
