/**
 * Has llama.cpp load the GGUF files that llava convert makes of small random models: its ids and the logarithms of its
 * probabilities beside this project's, for text and for images.
 * node proofs/check-llama-cpp.ts --python PYTHON, an interpreter that has xllamacpp; or --server PATH of a llama-server.
 * llama.cpp computes CLIP towers wrongly (its issue 25814); --mended says that the server's does not: its images are compared too.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { JsonObject } from "../src/files/index.ts";
import { LocalModel } from "../src/generation/index.ts";
import { convertModel, loadCheckpoint } from "../src/pretrained/index.ts";
import { encodePng, type RgbImage } from "../src/processing/image/index.ts";
import { mulberry32 } from "../src/random/index.ts";
import { inference, longTensor } from "../src/torch/index.ts";
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

/** llama.cpp keeps keys, values and attention in 16 bits. */
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
  "llama, rope linear": { text: scaled({ rope_type: "linear", factor: 4 }) },
  mistral: { text: { model_type: "mistral", rope_theta: 1e6, sliding_window: null } },
  qwen2: { text: { model_type: "qwen2", rope_theta: 1e6 } },
  siglip: {
    vision: siglip,
    model: { vision_feature_layer: -1, vision_feature_select_strategy: "full" },
  },
};

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
      await compare(name, new LocalModel(pretrained, { id: name }), address);
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
      ...["-c", "1024", "-np", "1", "-t", "1", "--no-warmup"],
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
  readonly completion_probabilities: [{ top_logprobs: { id: number; logprob: number }[] }];
  readonly tokens_evaluated: number;
}

async function asked<Answer>(address: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(address + path, {
    ...(body && { method: "POST", body: JSON.stringify(body) }),
    headers: { "content-type": "application/json" },
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Answer;
}

const scoresOf = (address: string, prompt: unknown): Promise<Scored> =>
  asked(address, "/completion", {
    prompt,
    ...{ n_predict: 1, temperature: 0, n_probs: 40, cache_prompt: false, samplers: ["temperature"] },
  });

async function compare(name: string, local: LocalModel, address: string): Promise<void> {
  const { tokenizer } = local.processor;
  const texts = [
    "The quick brown fox jumps over the lazy dog, can't it? 1234",
    "one two three ".repeat(40),
    "Grüße, 日本語 🙂\n\n  two",
  ];
  for (const text of texts) {
    const ids = tokenizer.encode(text, { addBos: tokenizer.addsBos });
    const { tokens } = await asked<{ tokens: number[] }>(address, "/tokenize", {
      content: text,
      add_special: true,
      parse_special: true,
    });
    if (String(tokens) !== String(ids))
      throw new Error(`${name}: llama.cpp makes the ids ${tokens}, expected ${ids}`);
    told(name, `${ids.length} tokens`, lastScores(local, ids), await scoresOf(address, ids));
  }
  const family = local.model.visionTower.constructor.name;
  const side = (local.processor.imageConfig.crop ?? { width: 56 }).width;
  const { media_marker: marker } = await asked<{ media_marker: string }>(address, "/props");
  for (const seed of [3, 9]) {
    const image = picture(side, seed); // of the tower's own size: llama.cpp resizes others in its own way
    const png = Buffer.from(encodePng(image)).toString("base64");
    const prompt = { prompt_string: `Hello ${marker} world`, multimodal_data: [png] };
    const scored = await scoresOf(address, prompt);
    using inputs = await local.prepare({ raw: "Hello <image> world", images: [image] });
    const own = inference(() => {
      const logits = local.model.languageModel.logits(
        local.model.languageModel.forward(
          local.model.embed(longTensor(inputs.inputIds, [1, inputs.inputIds.length]), inputs.visual),
        ),
      );
      return logits
        .select(0, 0)
        .select(0, inputs.inputIds.length - 1)
        .toNumbers();
    });
    told(name, `an image through ${family}`, own, scored, family.startsWith("Clip") && !options.mended);
  }
}

/** Scores [vocab] of what follows ids. */
const lastScores = ({ model }: LocalModel, ids: readonly number[]): number[] =>
  inference(() =>
    model
      .forward(longTensor(ids, [1, ids.length]))
      .select(0, 0)
      .select(0, ids.length - 1)
      .toNumbers(),
  );

function told(name: string, what: string, logits: readonly number[], scored: Scored, isKnown = false): void {
  const highest = Math.max(...logits);
  const total = highest + Math.log(logits.reduce((sum, value) => sum + Math.exp(value - highest), 0));
  const [{ top_logprobs: top }] = scored.completion_probabilities;
  const away = top.reduce(
    (most, { id, logprob }) => Math.max(most, Math.abs(logprob - (logits[id]! - total))),
    0,
  );
  if (!isKnown) worst = Math.max(worst, away);
  console.log(
    `${name}, ${what}: log probabilities of the likeliest ${top.length} differ by at most ${away.toFixed(4)}${isKnown ? " (llama.cpp's known fault)" : ""}`,
  );
}

function picture(side: number, seed: number): RgbImage {
  const random = mulberry32(seed);
  const step = 14;
  const blocks = Array.from({ length: (side / step) ** 2 * 3 }, () => Math.floor(random() * 256));
  const data = new Uint8Array(side * side * 3);
  for (let y = 0; y < side; y++)
    for (let x = 0; x < side; x++)
      for (let c = 0; c < 3; c++)
        data[(y * side + x) * 3 + c] =
          blocks[(Math.floor(y / step) * (side / step) + Math.floor(x / step)) * 3 + c]!;
  return { width: side, height: side, data };
}
