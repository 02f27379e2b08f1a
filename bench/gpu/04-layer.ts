/**
 * One layer of a 7B, forward and backward: milliseconds beside what its products need, and whether the host queues it faster than
 * the GPU computes it.
 *
 *   node bench/gpu/04-layer.ts
 */
import { freeing } from "../../src/nn/index.ts";
import { backward, Generator, randn, scope } from "../../src/torch/index.ts";
import {
  check,
  checkSpeed,
  checks,
  device,
  milliseconds,
  percent,
  queueing,
  REACHED,
  sized,
} from "./checks.ts";
import { multiplied, randomDecoder } from "./decoder.ts";

await checks("layer", () => {
  using model = randomDecoder(1, sized("bfloat16", "float32"));
  model.requiresGrad_(true);
  const { vocabSize, hiddenSize } = model.config;
  const weights = multiplied(model) - vocabSize * hiddenSize;
  for (const tokens of sized([4096, 8192, 16_384], [64])) {
    const step = (): void =>
      scope(() => {
        using generator = new Generator(1, device);
        const inputs = randn([1, tokens, hiddenSize], generator, { device })
          .to(model.computeDtype)
          .requiresGrad_();
        backward([model.forward(inputs, { runLayer: freeing }).to("float32").sum()]);
        for (const parameter of model.parameters()) parameter.grad = undefined;
      });
    const time = milliseconds(step);
    const rate = (6 * weights * tokens) / time / 1e-3;
    checkSpeed(
      `${tokens} tokens`,
      rate > 0.7 * REACHED,
      `${time.toFixed(2)} ms, products alone at ${percent(rate / REACHED)} of what they reach`,
    );
    const host = queueing(step);
    checkSpeed("the host is ahead", host < time, `${host.toFixed(2)} ms to queue it`);
  }
  const finite = scope(() =>
    model
      .forward(randn([1, 8, hiddenSize], new Generator(2, device), { device }).to(model.computeDtype))
      .to("float32")
      .sum()
      .item(),
  );
  check("is finite", Number.isFinite(finite), String(finite));
});
