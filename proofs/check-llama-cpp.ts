/**
 * Has llama.cpp load the GGUF files that llava convert makes of small random models: its ids and the logarithms of its
 * probabilities beside this project's, for text and for images.
 * node proofs/check-llama-cpp.ts --python PYTHON, an interpreter that has xllamacpp; or --server PATH of a llama-server.
 * llama.cpp computes CLIP towers wrongly (its issue 25814): its images are compared with those of a tower that has the same
 * fault, or, with --mended, as they should be.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import sharp from "sharp";
import type { JsonObject } from "../src/files/index.ts";
import { LocalModel } from "../src/generation/index.ts";
import { ClipVisionTower } from "../src/models/index.ts";
import { convertModel, loadCheckpoint, type PretrainedLlava } from "../src/pretrained/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { cat, inference, longTensor, type Tensor } from "../src/torch/index.ts";
import { type RandomCheckpoint, writeRandomCheckpoint } from "../test/support/random-checkpoint.ts";

const { values: options } = parseArgs({
  options: {
    python: { type: "string" },
    server: { type: "string" },
    mended: { type: "boolean", default: false },
  },
});
if ((options.python === undefined) === (options.server === undefined))
  throw new Error("usage: node proofs/check-llama-cpp.ts --python PYTHON | --server LLAMA_SERVER [--mended]");

/** With keys and values in float32 what is left is llama.cpp's own roundings, such as GELU by a table of 16 bits. */
const MOST = 0.01;
const PORT = 18_231;

const scaled = (rope_scaling: JsonObject): JsonObject => ({ rope_theta: 10_000, rope_scaling });
const siglip: JsonObject = {
  model_type: "siglip_vision_model",
  hidden_act: "gelu_pytorch_tanh",
  layer_norm_eps: 1e-6,
};
const models: Readonly<Record<string, RandomCheckpoint>> = {
  llama: {},
  "llama, grouped and tied": { text: { num_key_value_heads: 1, tie_word_embeddings: true } },
  "llama, rope llama3": {
    text: scaled({
      ...{ rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
      original_max_position_embeddings: 128,
    }),
  },
  "llama, rope yarn": {
    text: scaled({
      rope_type: "yarn",
      factor: 4,
      original_max_position_embeddings: 128,
      attention_factor: 1.3,
    }),
  },
  "llama, rope linear": { text: scaled({ rope_type: "linear", factor: 4 }) },
  mistral: { text: { model_type: "mistral", rope_theta: 1e6, sliding_window: null } },
  qwen2: { text: { model_type: "qwen2", rope_theta: 1e6 } },
  qwen3: { text: { model_type: "qwen3", rope_theta: 1e6, head_dim: 32 } },
  "siglip tower": {
    vision: siglip,
    model: { vision_feature_layer: -1, vision_feature_select_strategy: "full" },
  },
};

/** Ends of prompts, tried in turn. */
const ENDS = ["", " a", " b", ", it", " the", "?", "!", " of", " x", " 1"];

const folder = mkdtempSync(join(tmpdir(), "llava-llama-cpp-"));
let worst = 0;
try {
  let seed = 0;
  for (const [name, model] of Object.entries(models)) {
    const source = writeRandomCheckpoint(join(folder, `${++seed}`), seed, model);
    const output = join(folder, `${seed}-gguf`);
    using pretrained = await loadCheckpoint(source);
    convertModel(pretrained, { to: "gguf", output, maxShardBytes: 5e9 });
    const files = [`${seed}-gguf-F32.gguf`, `mmproj-${seed}-gguf-F32.gguf`].map((file) => join(output, file));
    const { child, address } = await started(files as [string, string]);
    try {
      await compare(name, pretrained, address);
    } finally {
      child.kill();
      await new Promise((resolve) => child.once("close", resolve));
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
if (worst > MOST) process.exitCode = 1;

/** A server of the two files, once it answers. */
async function started([text, eye]: [string, string]): Promise<{ child: ChildProcess; address: string }> {
  if (options.python !== undefined) {
    const script = join(import.meta.dirname, "llama_cpp_server.py");
    const child = spawn(options.python, [script, text, eye], { stdio: ["pipe", "pipe", "ignore"] });
    const address = await new Promise<string>((resolve, reject) => {
      child.stdout!.once("data", (data) => resolve(String(data).trim()));
      child.once("close", () => reject(new Error(`llama.cpp does not load ${text} with ${eye}`)));
    });
    return { child, address };
  }
  const child = spawn(
    options.server!,
    [
      ...["-m", text, "--mmproj", eye, "--host", "127.0.0.1", "--port", String(PORT)],
      ...["-c", "1024", "-np", "1", "-t", "1", "--no-warmup", "-fa", "off"],
      ...["--cache-type-k", "f32", "--cache-type-v", "f32"],
    ],
    { stdio: "ignore" },
  );
  const address = `http://127.0.0.1:${PORT}`;
  for (let tries = 0; tries < 600 && child.exitCode === null; tries++) {
    const answer = await fetch(`${address}/health`).catch(() => undefined);
    if (answer?.ok) return { child, address };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill();
  throw new Error(`llama-server does not load ${text} with ${eye}`);
}

interface Scored {
  /** None where the likeliest token is but a piece of a character, or ends the answer. */
  readonly completion_probabilities?: { top_logprobs: { id: number; logprob: number }[] }[];
  readonly tokens_evaluated: number;
}

async function asked<Answer>(address: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(address + path, {
    ...(body && { method: "POST", body: JSON.stringify(body) }),
    // It gives up connections that are idle for a few seconds.
    headers: { "content-type": "application/json", connection: "close" },
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

function scoresOf(address: string, prompt: unknown): Promise<Scored> {
  return asked(address, "/completion", {
    prompt,
    ...{ n_predict: 1, temperature: 0, n_probs: 40, cache_prompt: false, samplers: ["temperature"] },
  });
}

async function compare(name: string, pretrained: PretrainedLlava, address: string): Promise<void> {
  const { model, processor } = pretrained;
  const { tokenizer } = processor;
  const texts = [
    "The quick brown fox jumps over the lazy dog, can't it? 1234",
    "one two three ".repeat(40),
    "Grüße, 日本語 🙂\n\n  two",
  ];
  for (const text of texts)
    await toldOf(`${name}, ${text.length} characters`, async (end) => {
      const ids = tokenizer.encode(text + end, { addBos: tokenizer.addsBos });
      const { tokens } = await asked<{ tokens: number[] }>(address, "/tokenize", {
        ...{ content: text + end, add_special: true, parse_special: true },
      });
      if (String(tokens) !== String(ids))
        throw new Error(`${name}: llama.cpp makes the ids ${tokens}, expected ${ids}`);
      const logits = inference(() => lastRow(model.forward(longTensor(ids, [1, ids.length]))));
      return [logits, await scoresOf(address, ids)];
    });
  const family = model.visionTower.constructor.name;
  const side = (processor.imageConfig.crop ?? { width: 56 }).width;
  const local = new LocalModel(pretrained, { id: name });
  const { media_marker: marker } = await asked<{ media_marker: string }>(address, "/props");
  const isFaulty = model.visionTower instanceof ClipVisionTower && !options.mended;
  for (const seed of [3, 9]) {
    const image = await picture(side, seed); // of the tower's own size: llama.cpp resizes others in its own way
    const file = join(folder, "image.png");
    writeFileSync(file, image);
    const about = async (end: string): Promise<[number[], Scored]> => {
      const prompt_string = `Hello ${marker} world${end}`;
      const scored = await scoresOf(address, { prompt_string, multimodal_data: [image.toString("base64")] });
      using inputs = await local.prepare({ raw: `Hello <image> world${end}`, images: [file] });
      const length = inputs.inputIds.length;
      if (scored.tokens_evaluated !== length)
        throw new Error(`${name}: llama.cpp reads ${scored.tokens_evaluated} tokens, expected ${length}`);
      const logits = inference(() => {
        const { pixelValues } = inputs;
        const features = isFaulty
          ? faultyFeatures(model.visionTower as ClipVisionTower, pixelValues!)
          : model.encodeImages(pixelValues!);
        const embeddings = model.embed(longTensor(inputs.inputIds, [1, length]), { features });
        return lastRow(model.languageModel.logits(model.languageModel.forward(embeddings)));
      });
      return [logits, scored];
    };
    await toldOf(`${name}, an image through ${family}${isFaulty ? ", llama.cpp's fault in it" : ""}`, about);
  }
}

/** Of ends of a prompt the first that llama.cpp tells probabilities after. */
async function toldOf(
  what: string,
  scores: (end: string) => Promise<[logits: number[], scored: Scored]>,
): Promise<void> {
  for (const end of ENDS) {
    const [logits, scored] = await scores(end);
    const top = scored.completion_probabilities?.[0]?.top_logprobs;
    if (top) return told(what, logits, top);
  }
  throw new Error(`${what}: llama.cpp tells no probabilities`);
}

/** logits [1, T, vocab] → those of what follows [vocab] */
function lastRow(logits: Tensor): number[] {
  const rows = logits.select(0, 0);
  return rows.select(0, rows.size(0) - 1).toNumbers();
}

/**
 * As llama.cpp computes them: the class embedding comes behind the patches, but positions are added and the first row is dropped
 * as if it came before them.
 */
function faultyFeatures({ embeddings, preLayrnorm, encoder }: ClipVisionTower, pixels: Tensor): Tensor {
  const patches = embeddings.patchEmbedding.forward(pixels);
  const last = embeddings.classEmbedding.expand([patches.size(0), 1, patches.size(2)]);
  const embedded = cat([patches, last], 1).add(embeddings.positionEmbedding.weight);
  return encoder.layers
    .reduce((hidden, layer) => layer.forward(hidden), preLayrnorm.forward(embedded))
    .slice(1, 1);
}

function told(
  what: string,
  logits: readonly number[],
  top: readonly { id: number; logprob: number }[],
): void {
  const highest = Math.max(...logits);
  const total = highest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0));
  const away = top.reduce(
    (most, { id, logprob }) => Math.max(most, Math.abs(logprob - (logits[id]! - total))),
    0,
  );
  worst = Math.max(worst, away);
  console.log(
    `${what}: log probabilities of the likeliest ${top.length} differ by at most ${away.toFixed(6)}`,
  );
}

/** Blocks of colours, as PNG. */
async function picture(side: number, seed: number): Promise<Buffer> {
  const random = mulberry32(seed);
  const cells = side / 14;
  const colours = Uint8Array.from({ length: cells ** 2 * 3 }, () => Math.floor(random() * 256));
  return sharp(colours, { raw: { width: cells, height: cells, channels: 3 } })
    .resize(side, side, { kernel: "cubic" })
    .png()
    .toBuffer();
}
