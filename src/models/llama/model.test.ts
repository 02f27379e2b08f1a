import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../../test/support/close.ts";
import { checkModuleGradients, randomize, tinyText } from "../../../test/support/random-model.ts";
import { ActivationCheckpoints } from "../../nn/index.ts";
import { arange, cat, Generator, longTensor, noGrad, randn, scope, type Tensor } from "../../torch/index.ts";
import { Llama } from "../index.ts";

const variants = {
  "grouped heads": tinyText,
  "one head a group, tied": {
    ...tinyText,
    numKeyValueHeads: 4,
    tieWordEmbeddings: true,
    attentionBias: false,
  },
  "one key-value head, scaled positions": {
    ...tinyText,
    numKeyValueHeads: 1,
    ropeScaling: { type: "linear", factor: 2 } as const,
  },
};

const ids = (...rows: number[][]): Tensor => longTensor(rows.flat(), [rows.length, rows[0]!.length]);
const first = [3, 17, 42, 5, 9, 30, 11];
const second = [8, 8, 1];

for (const [name, config] of Object.entries(variants))
  describe(name, () => {
    const model = randomize(new Llama(config), 1);
    const logits = (inputIds: Tensor, options = {}): Tensor =>
      noGrad(() => model.logits(model.forward(model.embed(inputIds), options)));
    const whole = logits(ids(first));

    test("one token at a time with the cache gives the logits of the whole", () => {
      using cache = model.newCache({ batch: 1, capacity: first.length });
      const steps = first.map((id) => logits(ids([id]), { cache }));
      assertClose(cat(steps, 1), whole, 1e-5, "logits");
      assert.equal(cache.length, first.length);
      assert.throws(() => logits(ids([1]), { cache }), { code: "prompt" });
    });

    test("chunks of any size fill the cache as the whole does", () => {
      for (const sizes of [[3, 4], [1, 5, 1], [6, 1], [7]]) {
        using cache = model.newCache({ batch: 1, capacity: 10 });
        const parts = sizes.map((size) =>
          logits(ids(first.slice(cache.length, cache.length + size)), { cache }),
        );
        assertClose(cat(parts, 1), whole, 1e-5, `chunks of ${sizes}`);
      }
    });

    test("after truncation the sequence goes on as if it had been so from the start", () => {
      using cache = model.newCache({ batch: 1, capacity: 10 });
      logits(ids(first), { cache });
      cache.truncate(3);
      const expected = logits(ids([...first.slice(0, 3), 21, 22]));
      assertClose(logits(ids([21, 22]), { cache }), expected.slice(1, 3), 1e-5, "logits");
    });

    test("a row padded on the left gives the logits of the row alone", () => {
      const padding = first.length - second.length;
      const padded = ids(first, [...Array<number>(padding).fill(0), ...second]);
      const columns = arange(0, first.length);
      const offsets = longTensor([0, padding], [2, 1]);
      const positions = columns.sub(offsets).clamp(0); // [2, T]
      const isToken = offsets.le(columns.unsqueeze(0)).unsqueeze(1).unsqueeze(1);
      const causal = columns.unsqueeze(0).le(columns.unsqueeze(1));
      const itself = columns.unsqueeze(0).eq(columns.unsqueeze(1));
      const mask = isToken.mul(causal).add(itself);
      const both = logits(padded, { positions, attention: { mask } });
      assertClose(both.slice(0, 0, 1), whole, 1e-5, "the long row");
      assertClose(both.slice(0, 1).slice(1, padding), logits(ids(second)), 1e-5, "the padded row");
    });

    test("later tokens do not change earlier logits; earlier ones change later", () => {
      const changed = logits(ids(first.with(4, 40)));
      assertClose(changed.slice(1, 0, 4), whole.slice(1, 0, 4), 0, "before the change");
      assert.ok(Math.min(...changed.sub(whole).abs().amax([2]).slice(1, 4).toNumbers()) > 1e-4);
    });

    test("rows of a batch do not see each other", () => {
      const other = first.toReversed();
      const both = logits(ids(first, other));
      assertClose(both.slice(0, 0, 1), whole, 1e-5, "first");
      assertClose(both.slice(0, 1), logits(ids(other)), 1e-5, "second");
    });
  });

test("gradients of the embeddings and of every parameter", () => {
  const model = randomize(new Llama({ ...tinyText, numLayers: 1 }), 2, "float64");
  const embeddings = randn([2, 5, tinyText.hiddenSize], new Generator(3), { dtype: "float64" });
  // Angles are computed in float32, and the same on both sides of a difference.
  checkModuleGradients(model.layers[0]!, [embeddings], ([x]) => model.forward(x!));
  checkModuleGradients(model.norm, [embeddings], ([x]) => model.logits(model.forward(x!)));
});

test("layers whose activations are computed again give the same loss and gradients, bit for bit", () => {
  const measure = (checkpoints?: ActivationCheckpoints) =>
    scope(() => {
      const model = randomize(new Llama(tinyText), 4).requiresGrad_();
      const { embedTokens } = model;
      const hidden = model.forward(embedTokens.forward(ids(first, first)), { runLayer: checkpoints?.run });
      const loss = model.logits(hidden).pow(2).sum();
      if (checkpoints) checkpoints.backward(loss);
      else loss.backward();
      const gradients = [...model.namedParameters()].map(([name, { grad }]) => [name, grad!] as const);
      return { loss: loss.item(), gradients: new Map(gradients) };
    });
  const kept = measure();
  const recomputed = measure(new ActivationCheckpoints());
  assert.equal(recomputed.loss, kept.loss);
  for (const [name, gradient] of kept.gradients)
    assertClose(recomputed.gradients.get(name)!, gradient, 0, `gradient of ${name}`);
});
