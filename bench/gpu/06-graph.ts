/**
 * Decoding one sequence by a step that is recorded as a CUDA graph: the tokens of ordinary decoding, and tokens a second beside how
 * fast the weights can be read.
 *
 *   node bench/gpu/06-graph.ts
 */
import { FixedStep } from "../../src/nn/index.ts";
import { inference, longTensor, recordWork, scope, type Tensor } from "../../src/torch/index.ts";
import { BANDWIDTH, check, checkSpeed, checks, device, milliseconds, percent, sized } from "./checks.ts";
import { multiplied, randomDecoder } from "./decoder.ts";

const TOKENS = sized(64, 8);

await checks("graph", () => {
  const dtype = sized("bfloat16", "float32");
  using model = randomDecoder(sized(32, 2), dtype);
  const prompt = Array.from({ length: sized(128, 5) }, (_, i) => (31 * i) % model.config.vocabSize);
  const capacity = sized(1024, 32);
  const ids = (values: readonly number[]): Tensor => longTensor(values, [1, values.length]).toDevice(device);
  inference(() => {
    using ordinary = model.newCache({ batch: 1, capacity });
    using fixed = model.newCache({ batch: 1, capacity });
    const scores = (input: Tensor, cache: typeof ordinary | FixedStep): Tensor =>
      model.logits(model.forward(model.embed(input), { cache }).select(1, -1)); // [1, vocab]
    const start = [ordinary, fixed].map((cache) => scope(() => scores(ids(prompt), cache).argmax(-1).item()));
    const expected: number[] = [];
    for (let i = 0, next = start[0]!; i < TOKENS; i++) {
      next = scope(() =>
        scores(ids([next]), ordinary)
          .argmax(-1)
          .item(),
      );
      expected.push(next);
    }
    using step = new FixedStep(fixed);
    using next = ids([start[1]!]);
    using work = recordWork(device, () => void next.copy_(scores(next, step).argmax(-1).unsqueeze(1)));
    step.rewind();
    scope(() => void next.copy_(ids([start[1]!])));
    const got = Array.from({ length: TOKENS }, () => {
      work.run();
      return next.item();
    });
    const same = got.findIndex((token, i) => token !== expected[i]);
    check(
      "the recorded step gives the ordinary tokens",
      same < 0,
      same < 0 ? `${TOKENS} of them` : `until ${same}`,
    );
    step.settle(TOKENS);
    const before = milliseconds(() => scope(() => void scores(next, step)));
    step.rewind();
    const time = milliseconds(() => work.run(), sized(50, 1));
    const rate = (2 * multiplied(model)) / time / 1e-3;
    checkSpeed(
      "85 % of the memory's bandwidth",
      rate > 0.85 * BANDWIDTH,
      `${(1000 / time).toFixed(0)} tokens a second, ${percent(rate / BANDWIDTH)}; without the graph ${before.toFixed(2)} ms a token, with it ${time.toFixed(2)}`,
    );
  });
});
