/**
 * Whether the host runs ahead of the GPU through forward and backward pass: it does not where something asks for a value, or frees
 * and waits.
 *
 *   node bench/gpu/07-sync.ts
 */
import { ActivationCheckpoints } from "../../src/nn/index.ts";
import { crossEntropy, cudaMemory, longTensor, scope } from "../../src/torch/index.ts";
import {
  check,
  checkSpeed,
  checks,
  device,
  isGpu,
  milliseconds,
  percent,
  queueing,
  sized,
} from "./checks.ts";
import { randomDecoder } from "./decoder.ts";

await checks("synchronisation", () => {
  using model = randomDecoder(sized(8, 2), sized("bfloat16", "float32"));
  model.requiresGrad_(true);
  const tokens = sized(8192, 32);
  const { vocabSize } = model.config;
  const ids = Array.from({ length: tokens + 1 }, (_, i) => (7919 * i) % vocabSize);
  using input = longTensor(ids.slice(0, tokens), [1, tokens]).toDevice(device);
  using targets = longTensor(ids.slice(1)).toDevice(device);
  const pass = (): void => {
    scope(() => {
      const checkpoints = new ActivationCheckpoints();
      const hidden = model.forward(model.embed(input), { runLayer: checkpoints.run });
      checkpoints.backward(crossEntropy(model.logits(hidden.flatten(0, 1)).to("float32"), targets, "mean"));
    });
    for (const parameter of model.parameters()) parameter.grad = undefined;
  };
  const [all, host] = [milliseconds(pass), queueing(pass)];
  checkSpeed(
    "nothing waits between the first operator and the last",
    host < 0.5 * all,
    `queued in ${host.toFixed(1)} ms, done in ${all.toFixed(1)} ms (${percent(host / all)})`,
  );
  const inUse = (): number => (isGpu ? cudaMemory(device).inUse : 0);
  const before = inUse();
  for (let i = 0; i < sized(50, 3); i++) pass();
  check("memory stays as it is", inUse() === before, `${((inUse() - before) / 2 ** 20).toFixed(1)} MiB more`);
});
