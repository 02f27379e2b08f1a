/**
 * Decoding, prefill and the stage-1 training step of the default model, beside transformers with the same weights in
 * the same run:
 *
 *   node bench/language-model.ts [--python PATH] [--repeats 5] [--dtype bfloat16] [--tasks decode,prefill,train] [--json]
 *
 * Both sides take turns, so that a busy machine slows both; medians are compared. The Python (or $PYTHON) needs torch,
 * transformers, gguf and safetensors.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { writeSafetensors } from "../src/checkpoint/index.ts";
import { loadBuiltin } from "../src/models/index.ts";
import { AdamW } from "../src/optim/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import {
  backward,
  crossEntropy,
  type DType,
  Generator,
  inference,
  keep,
  longTensor,
  numThreads,
  randn,
  scope,
} from "../src/torch/index.ts";
import { packSamples } from "../src/training/index.ts";
import { median, Peer } from "./peer.ts";

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: process.env["PYTHON"] ?? "" },
    repeats: { type: "string", default: "5" },
    dtype: { type: "string", default: "bfloat16" },
    tasks: { type: "string", default: "decode,prefill,train" },
    json: { type: "boolean", default: false },
  },
});
const DECODED = 64;
const PREFILLED = 512;
const BATCH = 8;
const STEPS = 3;

const resolved = await resolveModel(defaultModel);
if (resolved.kind !== "builtin") throw new Error("the default model is built in");
using pretrained = loadBuiltin(resolved, { dtype: flags.dtype as DType, untrained: true });
const { languageModel, projector, imageTokenId, visionTower } = pretrained.model;
using generator = new Generator(0);
projector.initialize(generator);
languageModel.requiresGrad_(false);
projector.requiresGrad_(true);

const prompt = pretrained.tokenizer.encode("The capital of France is");
const longPrompt = Array.from({ length: PREFILLED }, (_, i) => 100 + ((i * 7919) % 40_000));

function decode(): number {
  return inference(() => {
    using cache = languageModel.newCache({ batch: 1, capacity: prompt.length + DECODED });
    const next = (ids: readonly number[]) =>
      scope(() => {
        const hidden = languageModel.forward(languageModel.embed(longTensor(ids, [1, ids.length])), {
          cache,
        });
        return languageModel.logits(hidden.slice(1, -1)).argmax().item();
      });
    let id = next(prompt);
    const start = performance.now();
    for (let i = 0; i < DECODED; i++) id = next([id]);
    return (performance.now() - start) / 1000 / DECODED;
  });
}

function prefill(): number {
  return inference(() => {
    using cache = languageModel.newCache({ batch: 1, capacity: PREFILLED });
    const start = performance.now();
    scope(() => {
      const hidden = languageModel.forward(languageModel.embed(longTensor(longPrompt, [1, PREFILLED])), {
        cache,
      });
      languageModel.logits(hidden.slice(1, -1)).argmax().item();
    });
    return (performance.now() - start) / 1000;
  });
}

/** Captions of 8 to 20 tokens, as long as those of photos are. */
const captions = Array.from({ length: BATCH }, (_, row) =>
  Array.from({ length: 8 + ((row * 5) % 13) }, (_, i) => 200 + ((row * 131 + i * 7919) % 40_000)),
);
const features = keep(randn([BATCH, visionTower.tokens, visionTower.hiddenSize], generator));
const packed = packSamples(
  captions.map((ids) => {
    const image = Array<number>(visionTower.tokens).fill(imageTokenId);
    return { inputIds: [...image, ...ids], labels: [...image.map(() => -100), ...ids], branches: [] };
  }),
  BATCH / 2,
);
using optimizer = new AdamW([{ parameters: projector.namedParameters(), learningRate: 0, weightDecay: 0 }]);
let loss = Number.NaN;

function trainingStep(): void {
  scope(() => {
    const ordered = features.indexSelect(0, longTensor(packed.order));
    const inputs = pretrained.model.spliceImages(packed.inputIds, pretrained.model.project(ordered));
    const hidden = languageModel.forward(inputs, {
      positions: packed.positions,
      attention: packed.attention,
    });
    const chosen = hidden.flatten(0, 1).indexSelect(0, packed.supervised);
    const mean = crossEntropy(languageModel.logits(chosen).to("float32"), packed.targets);
    backward([mean]);
    optimizer.step();
    optimizer.clearGradients();
    loss = mean.item();
  });
}

function train(): number {
  const start = performance.now();
  for (let step = 0; step < STEPS; step++) trainingStep();
  return (performance.now() - start) / 1000 / STEPS;
}

const folder = mkdtempSync(join(tmpdir(), "llava-bench-"));
try {
  const shared = join(folder, "projector.safetensors");
  writeSafetensors(shared, new Map([...projector.namedParameters(), ["features", features]]));
  const script = new URL("language_model_peer.py", import.meta.url).pathname;
  const peer = await Peer.start(flags.python, [
    script,
    resolved.languageModel,
    shared,
    flags.dtype,
    String(numThreads()),
  ]);
  const tasks = [
    { name: "decode", unit: "ms a token", run: decode, question: { ids: prompt, count: DECODED } },
    { name: "prefill", unit: `ms for ${PREFILLED} tokens`, run: prefill, question: { ids: longPrompt } },
    { name: "train", unit: `ms a step of ${BATCH}`, run: train, question: { captions, steps: STEPS } },
  ].filter(({ name }) => flags.tasks.split(",").includes(name));
  const results = [];
  for (const { name, unit, run, question } of tasks) {
    const rounds: { own: number; other: number }[] = [];
    for (let round = -1; round < Number(flags.repeats); round++) {
      const own = run();
      const other = (await peer?.ask(JSON.stringify({ task: name, ...question }))) ?? Number.NaN;
      if (round >= 0) rounds.push({ own, other }); // the first round warms up
    }
    const milliseconds = 1000 * median(rounds.map(({ own }) => own));
    const peerMilliseconds = 1000 * median(rounds.map(({ other }) => other));
    const speedup = median(rounds.map(({ own, other }) => other / own));
    results.push({ name, milliseconds, ...(peer && { peerMilliseconds, speedup }) });
    if (!flags.json) {
      const beside = peer
        ? `, ${peer.name} ${peerMilliseconds.toFixed(1)}: ${speedup.toFixed(2)}× as fast`
        : "";
      console.log(`${name.padEnd(8)} ${milliseconds.toFixed(1)} ${unit}${beside}`);
    }
  }
  const peerLoss = Number.isNaN(loss) ? undefined : await peer?.ask(JSON.stringify({ task: "loss" }));
  const losses = { loss, ...(peerLoss !== undefined && { peerLoss }) };
  if (flags.json)
    console.log(
      JSON.stringify({
        bench: "language-model",
        dtype: flags.dtype,
        threads: numThreads(),
        peer: peer?.name,
        results,
        ...losses,
      }),
    );
  else if (!Number.isNaN(loss))
    console.log(
      `loss of the training step ${loss.toFixed(4)}${peerLoss === undefined ? "" : `, the peer's ${peerLoss.toFixed(4)}`}`,
    );
  peer?.close();
} finally {
  rmSync(folder, { recursive: true });
}
