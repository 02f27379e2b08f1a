// Passes that are the same work every time: npm test -- src/nn/cache
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { fixtures } from "../../../test/support/training-rows.ts";
import { loadCheckpoint } from "../../pretrained/index.ts";
import { inference, liveTensors, longTensor, recordWork, scope, type Tensor } from "../../torch/index.ts";
import { FixedStep, type KeyValueCache } from "../index.ts";

const prompts = [
  [1, 5, 9, 13],
  [1, 7],
];
const STEPS = 6;

test("a recorded step of rows of different lengths gives the tokens and scores of an ordinary one", async () => {
  using loaded = await loadCheckpoint(join(fixtures, "llava/llama"));
  const { languageModel } = loaded.model;
  const fill = (cache: KeyValueCache): number[] =>
    prompts.map((ids, row) =>
      scope(() => {
        using own = languageModel.newCache({ batch: 1, capacity: 16 });
        const hidden = languageModel.forward(languageModel.embed(longTensor(ids, [1, ids.length])), {
          cache: own,
        });
        cache.copyRows(own, [0], row);
        return languageModel.logits(hidden.select(1, -1)).argmax(-1).toNumbers()[0]!;
      }),
    );
  const scoresOf = (ids: Tensor, cache: KeyValueCache | FixedStep): Tensor =>
    languageModel.logits(languageModel.forward(languageModel.embed(ids), { cache }).select(1, 0));
  inference(() => {
    using ordinary = languageModel.newCache({ batch: 2, capacity: 16 });
    using fixed = languageModel.newCache({ batch: 2, capacity: 16 });
    let next = fill(ordinary);
    assert.deepEqual(fill(fixed), next);
    const expected = Array.from({ length: STEPS }, () =>
      scope(() => {
        const scores = scoresOf(longTensor(next, [2, 1]), ordinary);
        next = scores.argmax(-1).toNumbers();
        return { scores: scores.flatten().toNumbers(), next };
      }),
    );
    using ids = longTensor(fill(fixed), [2, 1]);
    using step = new FixedStep(fixed);
    using scores = scope(() => scoresOf(ids, step));
    step.rewind();
    using work = recordWork("cpu", () => {
      scores.copy_(scoresOf(ids, step));
      ids.copy_(scores.argmax(-1).unsqueeze(1));
    });
    const live = liveTensors();
    for (const each of expected) {
      work.run();
      const numbersOf = (tensor: Tensor): number[] => scope(() => tensor.flatten().toNumbers());
      assert.deepEqual(numbersOf(ids), each.next);
      for (const [i, value] of numbersOf(scores).entries())
        assert.ok(Math.abs(value - each.scores[i]!) < 1e-5, `${value} ${each.scores[i]}`);
    }
    step.settle(STEPS);
    assert.deepEqual(fixed.lengths, ordinary.lengths);
    assert.equal(liveTensors(), live);
  });
});
