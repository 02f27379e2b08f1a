// Whether memory stays flat over long work: decoding steps, and training steps of a projector through a frozen model.
//   node bench/memory.ts [--model default|tiny] [--decode-steps 2000] [--train-steps 200] [--json]
// The default model's weights are used where they have been fetched, otherwise a random model of middling size.
// Flat: the median resident memory of the last quarter of the steps is at most 2 % above the second quarter's.
import { parseArgs } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type LanguageModel, Llama, type LlamaConfig, Projector } from "../src/models/index.ts";
import { AdamW } from "../src/optim/index.ts";
import { loadBuiltin } from "../src/pretrained/index.ts";
import { defaultModel, resolveModel } from "../src/setup/index.ts";
import {
  cat,
  crossEntropy,
  Generator,
  inference,
  liveTensors,
  longTensor,
  randn,
  scope,
  type Tensor,
} from "../src/torch/index.ts";

const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: "default" },
    "decode-steps": { type: "string", default: "2000" },
    "train-steps": { type: "string", default: "200" },
    json: { type: "boolean", default: false },
  },
});
const ANSWER_TOKENS = 200; // a new answer starts after so many steps, over the same prompt
const PROMPT_TOKENS = 32;
const TOLERANCE = 0.02;
const FEATURE_WIDTH = 1280;

const generator = new Generator(0);

function randomLlama(
  size: Pick<LlamaConfig, "hiddenSize" | "intermediateSize" | "numLayers" | "vocabSize">,
): Llama {
  const model = new Llama({
    family: "llama",
    ...size,
    numHeads: size.hiddenSize / 32,
    numKeyValueHeads: size.hiddenSize / 64,
    headDim: 32,
    hiddenAct: "silu",
    rmsNormEps: 1e-5,
    ropeTheta: 10_000,
    maxPositionEmbeddings: 2048,
    tieWordEmbeddings: true,
    attentionBias: false,
    outputBias: false,
    mlpBias: false,
  });
  scope(() => {
    for (const [name, { shape }] of model.namedParameters())
      model.setParameter(name, randn(shape, generator).mul(0.02));
  });
  return model;
}

async function languageModel(): Promise<{ name: string; model: LanguageModel }> {
  if (options.model === "tiny")
    return {
      name: "random, 4 layers of 128",
      model: randomLlama({ hiddenSize: 128, intermediateSize: 256, numLayers: 4, vocabSize: 1000 }),
    };
  const resolved = await resolveModel(defaultModel, { offline: true }).catch(() => undefined);
  if (resolved?.kind === "builtin")
    return { name: defaultModel, model: loadBuiltin(resolved, { untrained: true }).model.languageModel };
  return {
    name: "random, 12 layers of 512",
    model: randomLlama({ hiddenSize: 512, intermediateSize: 1024, numLayers: 12, vocabSize: 16_000 }),
  };
}

interface Measurement {
  readonly steps: number;
  readonly stepsPerSecond: number;
  /** What a busy machine does not blur: processor time of user and kernel, and pages that the kernel had to provide. */
  readonly userMs: number;
  readonly kernelMs: number;
  readonly pageFaults: number;
  /** Resident memory, MiB: medians of the second and the last quarter of the steps. */
  readonly secondQuarter: number;
  readonly lastQuarter: number;
  readonly leakedTensors: number;
  readonly flat: boolean;
}

/** Runs `step` many times. The first quarter warms up: rates and the count of tensors start after it. */
function measure(steps: number, step: (index: number) => void): Measurement {
  const resident = new Float64Array(steps);
  const warm = Math.floor(steps / 4);
  const now = () => {
    collectGarbage();
    return { time: performance.now(), usage: process.resourceUsage(), living: liveTensors() };
  };
  let before = now();
  for (let i = 0; i < steps; i++) {
    if (i === warm) before = now();
    step(i);
    resident[i] = process.memoryUsage.rss() / 2 ** 20;
  }
  const after = now();
  const each = (total: number): number => total / (steps - warm);
  const quarter = (index: number) =>
    median(resident.subarray(Math.floor((index * steps) / 4), Math.floor(((index + 1) * steps) / 4)));
  const [second, last] = [quarter(1), quarter(3)];
  const leakedTensors = after.living - before.living;
  return {
    steps,
    stepsPerSecond: rounded(1000 / each(after.time - before.time)),
    userMs: rounded(each(after.usage.userCPUTime - before.usage.userCPUTime) / 1000),
    kernelMs: rounded(each(after.usage.systemCPUTime - before.usage.systemCPUTime) / 1000),
    pageFaults: Math.round(each(after.usage.minorPageFault - before.usage.minorPageFault)),
    secondQuarter: rounded(second),
    lastQuarter: rounded(last),
    leakedTensors,
    flat: leakedTensors === 0 && last <= (1 + TOLERANCE) * second,
  };
}

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;
const rounded = (value: number): number => Number(value.toFixed(1));
const median = (values: Float64Array): number => values.toSorted()[Math.floor(values.length / 2)]!;

function decode(model: LanguageModel, steps: number): Measurement {
  using cache = model.newCache({ batch: 1, capacity: PROMPT_TOKENS + ANSWER_TOKENS });
  let id = 1;
  const next = (ids: number[]): number =>
    inference(() =>
      scope(() => {
        const hidden = model.forward(model.embed(longTensor(ids, [1, ids.length])), { cache });
        return model.logits(hidden.slice(1, -1)).argmax().item();
      }),
    );
  next(Array.from({ length: PROMPT_TOKENS }, (_, i) => i));
  return measure(steps, (i) => {
    if (i % ANSWER_TOKENS === 0) cache.truncate(PROMPT_TOKENS);
    id = next([id]);
  });
}

function train(model: LanguageModel, steps: number): Measurement {
  const width = model.config.hiddenSize;
  const projector = new Projector(
    { type: "mlp", depth: 2, act: "gelu", bias: true },
    { in: FEATURE_WIDTH, out: width },
  ).initialize(generator);
  projector.requiresGrad_();
  const optimizer = new AdamW([
    { parameters: projector.namedParameters(), learningRate: 1e-3, weightDecay: 0 },
  ]);
  const measured = measure(steps, (i) =>
    scope(() => {
      const tokens = 24 + 8 * (i % 5); // captions differ in length
      const ids = Array.from({ length: tokens }, (_, j) => (i + 7 * j) % model.config.vocabSize);
      const features = randn([2, 16, FEATURE_WIDTH], generator);
      const text = model.embed(longTensor([...ids, ...ids], [2, tokens]));
      const hidden = model.forward(cat([projector.forward(features), text], 1)).slice(1, 15, -1);
      const logits: Tensor = model.logits(hidden).flatten(0, 1);
      crossEntropy(logits, longTensor([...ids, ...ids])).backward();
      optimizer.step();
      optimizer.clearGradients();
    }),
  );
  projector[Symbol.dispose]();
  optimizer[Symbol.dispose]();
  return measured;
}

const { name, model } = await languageModel();
const decoding = decode(model, Number(options["decode-steps"]));
const training = train(model, Number(options["train-steps"]));
const peakMiB = rounded(process.resourceUsage().maxRSS / 1024);
const flat = decoding.flat && training.flat;
if (options.json) console.log(JSON.stringify({ model: name, decoding, training, peakMiB, flat }));
else {
  console.log(`${name}; peak ${peakMiB} MiB resident`);
  for (const [work, each] of Object.entries({ decoding, training }))
    console.log(
      `  ${work.padEnd(9)} ${each.steps} steps, ${each.stepsPerSecond}/s, ${each.userMs} + ${each.kernelMs} ms of processor and ` +
        `${each.pageFaults} page faults a step: ${each.secondQuarter} → ${each.lastQuarter} MiB, ` +
        `${each.leakedTensors} tensors leaked: ${each.flat ? "flat" : "NOT FLAT"}`,
    );
}
process.exitCode = flat ? 0 : 1;
