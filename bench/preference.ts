/**
 * Learning from pairs (projector and language model of a small random LLaVA, float32, the reference a frozen copy) with prompts of
 * 1,000 tokens, an image of 256 among them, beside TRL's DPOTrainer with the same weights and pairs:
 *
 *   node bench/preference.ts --tokenizer FOLDER [--python PATH] [--steps 4] [--json]
 *
 * FOLDER holds the tokenizer of a Llama 2 or Vicuna; the Python (or $PYTHON) needs torch, transformers, trl, datasets and
 * pillow. Each side runs in a process of its own, one after the other: the median of its steps but the first, and its peak
 * memory as the kernel counts it.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import { type LlavaRow, sidesOf } from "../src/data/index.ts";
import { openProcessor, sourceWithoutModel } from "../src/processing/processor/index.ts";
import { numThreads } from "../src/torch/index.ts";
import { type Recipe, resolveRecipe, runRecipe } from "../src/training/index.ts";
import { median } from "./peer.ts";
import { imageTokenId, writeRandomCheckpoint } from "./random-checkpoint.ts";

const { values: flags } = parseArgs({
  options: {
    tokenizer: { type: "string", default: "" },
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    steps: { type: "string", default: "4" },
    json: { type: "boolean", default: false },
    child: { type: "string" },
  },
});

const sizes = {
  text: { hidden: 512, intermediate: 1376, layers: 8, heads: 8 },
  vision: { hidden: 384, intermediate: 1536, layers: 12, heads: 6, imageSize: 224 },
};
const [IMAGE_TOKENS, PROMPT_TOKENS, BATCH, MICRO_BATCH] = [256, 1000, 4, 2];
/** Too small to change anything: both sides then report the loss of the same weights, ln 2. */
const LEARNING_RATE = 1e-10;
const steps = Number(flags.steps);

/** What a side measured. */
interface Measured {
  readonly name?: string;
  readonly seconds: readonly number[];
  readonly losses: readonly number[];
  readonly peak: number;
}

if (flags.child === undefined) await compare();
else console.log(JSON.stringify(await train(JSON.parse(flags.child) as Recipe)));

async function train(recipe: Recipe): Promise<Measured> {
  const [seconds, losses]: [number[], number[]] = [[], []];
  const note = {
    afterStep: (_: unknown, step: { seconds: number; loss: number }) => {
      seconds.push(step.seconds);
      losses.push(step.loss);
    },
  };
  const silent = () => ({ update() {}, increment() {}, stop() {} });
  await runRecipe(recipe, { report: () => {}, progress: silent, callbacks: [note] });
  return { seconds, losses, peak: process.resourceUsage().maxRSS * 1024 };
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
  const inFolder = (name: string): string => join(folder, name);
  try {
    writeRandomCheckpoint(inFolder("model"), sizes, flags.tokenizer);
    const source = sourceWithoutModel({ folder: inFolder("model") }, { name: "v1" }, IMAGE_TOKENS);
    const processor = await openProcessor({ ...source, imageTokenId });
    const rows = Array.from({ length: BATCH * steps }, (_, index) => rowOf(index));
    const encoded = rows.map((row) => {
      const [chosen, rejected] = sidesOf(row).map((side) => {
        const { inputIds, labels, images } = processor.encodeRow(side, [processor.layoutOf()]);
        return { inputIds, labels, images };
      });
      return { chosen, rejected };
    });
    for (const { images } of rows) await drawImage(inFolder(images[0]!.name));
    const { labels } = encoded[0]!.chosen!;
    const prompt = labels.findIndex((label) => label >= 0);
    const written = rows.map(({ id, images, conversations: [asked, answer], rejected }) => ({
      ...{ id, image: images[0]!.name, conversations: [asked] },
      ...{ chosen: answer!.value, rejected },
    }));
    writeFileSync(inFolder("pairs.json"), JSON.stringify(written));
    writeFileSync(inFolder("encoded.json"), JSON.stringify(encoded));
    const settings = { threads: numThreads(), batchSize: BATCH, microBatch: MICRO_BATCH, steps };
    const more = { imageSize: sizes.vision.imageSize, learningRate: LEARNING_RATE };
    writeFileSync(inFolder("settings.json"), JSON.stringify({ ...settings, ...more }));
    const recipe = resolveRecipe({
      model: inFolder("model"),
      projector: "loaded",
      train: ["projector", "languageModel"],
      objective: { type: "preference", reference: "copy" },
      data: { rows: inFolder("pairs.json"), images: folder, template: "v1", maxTokens: 4096 },
      optimizer: { learningRate: LEARNING_RATE },
      schedule: { type: "constant", warmupRatio: 0 },
      batchSize: BATCH,
      accumulation: BATCH / MICRO_BATCH,
      maxSteps: steps,
      dtype: "float32",
      output: inFolder("run"),
    });
    const own = measure(process.execPath, [import.meta.filename, "--child", JSON.stringify(recipe)]);
    const script = new URL("preference_peer.py", import.meta.url).pathname;
    const files = ["model", "encoded.json", "", "settings.json"].map(inFolder);
    const peer = flags.python === "" ? undefined : measure(flags.python, [script, ...files]);
    report({ prompt, chosen: labels.length - prompt }, own, peer);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** A question behind an image, so long that it is about the prompt wanted; answers of about 60 and 80 tokens. */
function rowOf(index: number): LlavaRow {
  const words = (count: number, first: string) => `${first} ${"the dog runs ".repeat(count)}`.trim();
  const images = [{ name: `${index}.jpg` }];
  const question = `<image>\n${words((PROMPT_TOKENS - IMAGE_TOKENS - 50) / 3, "a")}`;
  const conversations = [
    { from: "human", value: question } as const,
    { from: "gpt", value: words(20, "yes") } as const,
  ];
  return { id: String(index), images, conversations, rejected: words(26, "no") };
}

async function drawImage(path: string): Promise<void> {
  await sharp({ create: { width: 640, height: 480, channels: 3, background: "#336699" } })
    .jpeg()
    .toFile(path);
}

function measure(command: string, args: readonly string[]): Measured {
  const { stdout, stderr, status } = spawnSync(command, args, { encoding: "utf8", maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(`${command} stopped: ${stderr.trim()}`);
  return JSON.parse(stdout.trim().split("\n").at(-1)!) as Measured;
}

function report(tokens: object, own: Measured, peer: Measured | undefined): void {
  const step = ({ seconds }: Measured): number => median(seconds.slice(1));
  const beside = peer && { speedup: step(peer) / step(own), memory: own.peak / peer.peak };
  const summary = { bench: "preference", threads: numThreads(), ...tokens, own, peer, ...beside };
  if (flags.json) {
    console.log(JSON.stringify(summary));
    return;
  }
  const line = (each: Measured): string =>
    `${step(each).toFixed(2)} s a step of ${BATCH} pairs, peak ${Math.round(each.peak / 2 ** 20)} MiB, loss ${each.losses[0]!.toFixed(6)}`;
  console.log(`${JSON.stringify(tokens)}, ${numThreads()} threads\n${line(own)}`);
  if (peer && beside)
    console.log(
      `${peer.name}: ${line(peer)}\n${beside.speedup.toFixed(2)}× as fast, ${beside.memory.toFixed(2)}× of its memory`,
    );
}
