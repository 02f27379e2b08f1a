/**
 * Whole steps of eight layers of a 7B with its vocabulary, masters in float32 and products in bfloat16: MFU with activations kept and
 * computed again, memory, and the speed of AdamW.
 *
 *   node bench/gpu/05-step-7b.ts
 */
import { ActivationCheckpoints, freeing } from "../../src/nn/index.ts";
import { AdamW, clipGradNorm, decayGroups } from "../../src/optim/index.ts";
import { crossEntropy, cudaMemory, longTensor, resetCudaPeak, scope } from "../../src/torch/index.ts";
import {
  BANDWIDTH,
  check,
  checkSpeed,
  checks,
  device,
  isGpu,
  milliseconds,
  PEAK,
  percent,
  sized,
} from "./checks.ts";
import { multiplied, randomDecoder } from "./decoder.ts";

/** AdamW reads a gradient, and reads and writes a weight and two moments. */
const UPDATE_BYTES = 28;

await checks("step", () => {
  using model = randomDecoder(sized(8, 2), "float32");
  model.requiresGrad_(true);
  const { vocabSize, hiddenSize } = model.config;
  const parameters = model.parameters().reduce((sum, { elements }) => sum + elements, 0);
  using optimizer = new AdamW(decayGroups(model.namedParameters(), { learningRate: 1e-5, weightDecay: 0 }));
  const tokens = sized(8192, 48);
  const ids = Array.from({ length: tokens + 1 }, (_, i) => (7919 * i) % vocabSize);
  // A third of the positions is trained.
  const places = Array.from({ length: Math.floor(tokens / 3) }, (_, i) => 3 * i);
  let loss = 0;
  const pass = (recomputes: boolean): void =>
    scope(() => {
      const checkpoints = new ActivationCheckpoints();
      const inputs = model.embed(longTensor(ids.slice(0, tokens), [1, tokens]).toDevice(device));
      const hidden = model.forward(inputs, { runLayer: recomputes ? checkpoints.run : freeing });
      const chosen = hidden.flatten(0, 1).indexSelect(0, longTensor(places).toDevice(device));
      const targets = longTensor(places.map((at) => ids[at + 1]!)).toDevice(device);
      const result = crossEntropy(model.logits(chosen).to("float32"), targets, "mean");
      if (recomputes) checkpoints.backward(result);
      else result.backward();
      loss = result.item();
    });
  const first: number[] = [];
  for (const recomputes of [false, true]) {
    if (isGpu) resetCudaPeak(device);
    const time = milliseconds(() => {
      pass(recomputes);
      clipGradNorm(optimizer.parameters(), 1);
      optimizer.clearGradients();
    });
    first.push(loss);
    const layers = multiplied(model) - vocabSize * hiddenSize;
    const useful = 6 * layers * tokens + 2 * vocabSize * hiddenSize * tokens;
    const mfu = useful / (time * 1e-3 * PEAK);
    const memory = isGpu ? `, at most ${(cudaMemory(device).mostInUse / 1e9).toFixed(1)} GB in use` : "";
    checkSpeed(
      recomputes ? "MFU of 40 % with recomputation" : "MFU of 52 % without recomputation",
      mfu > (recomputes ? 0.4 : 0.52),
      `${percent(mfu)}, ${time.toFixed(0)} ms for ${tokens} tokens${memory}`,
    );
  }
  check("both have the same loss", Math.abs(first[0]! - first[1]!) < 1e-3, first.join(", "));
  pass(true);
  const time = milliseconds(() => optimizer.step(1));
  const rate = (UPDATE_BYTES * parameters) / time / 1e-3;
  checkSpeed(
    "AdamW reaches 60 % of the memory's bandwidth",
    rate > 0.6 * BANDWIDTH,
    `${(rate / 1e9).toFixed(0)} GB/s`,
  );
});
