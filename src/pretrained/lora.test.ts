import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose, largestDifference } from "../../test/support/close.ts";
import { collectGarbage } from "../../test/support/garbage.ts";
import { checkModuleGradients, randomize, tinyLlava, tinyText } from "../../test/support/random-model.ts";
import { Llama } from "../models/index.ts";
import { AdaptedLinear, Linear, LowRankAdapter } from "../nn/index.ts";
import {
  crossEntropy,
  Generator,
  liveTensors,
  longTensor,
  noGrad,
  randn,
  scope,
  type Tensor,
} from "../torch/index.ts";
import { adaptedLinears, applyLora, mergeLora, removeLora } from "./index.ts";

const ids = longTensor([3, 17, 42, 5, 9, 30, 11, 2], [2, 4]);
const logitsOf = (model: Llama): Tensor => model.logits(model.forward(model.embed(ids)));
const evaluated = (model: Llama): Tensor => noGrad(() => scope(() => logitsOf(model)));

/** A model whose adapters say something: B is drawn too. */
function adapted(options: { dropout?: number } = {}, dtype: "float32" | "bfloat16" = "float32") {
  const model = randomize(new Llama(tinyText), 1, dtype);
  const generator = new Generator(5);
  const parameters = applyLora(model, { rank: 3, alpha: 6, ...options }, generator);
  noGrad(() =>
    scope(() => {
      for (const [name, parameter] of parameters)
        if (name.includes("lora_B")) parameter.copy_(randn(parameter.shape, generator).mul(0.3));
    }),
  );
  return { model, generator, parameters };
}

// The first, so that nothing of other tests is collected while it counts.
test("every tensor of adapters is freed when they are merged or the model is disposed of", () => {
  collectGarbage();
  const before = liveTensors();
  {
    using model = tinyLlava(1);
    const alone = liveTensors();
    applyLora(model, { rank: 2, alpha: 2 }, new Generator(1));
    assert.equal(liveTensors() - alone, 2 * 14);
    mergeLora(model);
    collectGarbage();
    assert.equal(liveTensors(), alone);
    applyLora(model, { rank: 2, alpha: 2 }, new Generator(1));
  }
  collectGarbage();
  assert.equal(liveTensors(), before);
});

describe("adapters", () => {
  test("change nothing at first; A is uniform in ±1/√in, B zero", () => {
    const model = randomize(new Llama(tinyText), 1);
    const base = evaluated(model);
    applyLora(model, { rank: 4, alpha: 8 }, new Generator(1));
    assertClose(evaluated(model), base, 0, "logits");
    for (const [name, { adapter, weight }] of adaptedLinears(model)) {
      const bound = 1 / Math.sqrt(weight.size(1));
      const largest = adapter.down.abs().amax().item();
      assert.ok(largest <= bound && largest > 0.9 * bound, `${name}: ${largest}`);
      assert.equal(adapter.up.abs().amax().item(), 0);
    }
  });

  test("are merged into the weights with the same result, and taken off with the base's", () => {
    const { model } = adapted();
    const base = evaluated(randomize(new Llama(tinyText), 1));
    const unmerged = evaluated(model);
    assert.ok(largestDifference(unmerged, base) > 0.1);
    mergeLora(model);
    assert.deepEqual([...adaptedLinears(model)], []);
    assertClose(evaluated(model), unmerged, 1e-5, "merged");
    const other = adapted().model;
    removeLora(other);
    assertClose(evaluated(other), base, 0, "taken off");
  });

  test("that are decomposed begin as the base too, and learn lengths of rows besides", () => {
    const model = randomize(new Llama(tinyText), 1);
    const base = evaluated(model);
    const parameters = applyLora(model, { rank: 3, alpha: 6, decomposed: true }, new Generator(5));
    assertClose(evaluated(model), base, 1e-5, "logits");
    const names = [...parameters.keys()].filter((name) => name.endsWith(".lora_magnitude_vector"));
    assert.equal(names.length, parameters.size / 3);
    noGrad(() =>
      scope(() => {
        const generator = new Generator(6);
        for (const parameter of parameters.values())
          parameter.add_(randn(parameter.shape, generator).mul(0.1));
      }),
    );
    const unmerged = evaluated(model);
    assert.ok(largestDifference(unmerged, base) > 0.1);
    scope(() => crossEntropy(logitsOf(model).flatten(0, 1), ids.flatten()).backward());
    for (const name of names) assert.ok(parameters.get(name)!.grad!.abs().amax().item() > 0, name);
    mergeLora(model);
    assertClose(evaluated(model), unmerged, 1e-5, "merged");
  });

  test("are float32 beside bfloat16 weights and learn alone; activations stay bfloat16", () => {
    const { model, parameters } = adapted({}, "bfloat16");
    scope(() => {
      const logits = logitsOf(model);
      assert.equal(logits.dtype, "bfloat16");
      crossEntropy(logits.flatten(0, 1).to("float32"), ids.flatten()).backward();
    });
    for (const [name, parameter] of parameters) {
      assert.equal(parameter.dtype, "float32");
      assert.equal(parameter.grad?.dtype, "float32", name);
      assert.ok(parameter.grad.abs().amax().item() > 0, name);
    }
    assert.ok(
      [...model.namedParameters()].every(([name, { grad }]) => (grad !== undefined) === /lora/.test(name)),
    );
  });

  test("have the gradients of their formula", () => {
    const adapter = new LowRankAdapter([3, 4], { rank: 2, alpha: 3 }, new Generator(3)).to({
      dtype: "float64",
    });
    const layer = new AdaptedLinear(randomize(new Linear(4, 3, { bias: true }), 2, "float64"), adapter);
    adapter.setParameter("lora_B.weight", randn([3, 2], new Generator(4), { dtype: "float64" }));
    const input = randn([2, 5, 4], new Generator(6), { dtype: "float64" });
    checkModuleGradients(layer, [input], ([x]) => layer.forward(x!));
    const { weight, bias } = layer;
    const sum = weight.add(adapter.up.matmul(adapter.down).mul(1.5));
    assertClose(layer.forward(input), input.matmul(sum.transpose(0, 1)).add(bias!), 1e-6, "W + 3/2·B·A");
  });

  test("scale by alpha / √rank where they are rank-stabilised", () => {
    const scaleOf = (rankStabilized: boolean) =>
      new LowRankAdapter([3, 4], { rank: 4, alpha: 8, rankStabilized }, new Generator(3)).scale;
    assert.deepEqual([scaleOf(false), scaleOf(true)], [2, 4]);
  });
});

test("dropout zeroes a share of inputs where gradients are recorded, keeps the mean, and follows its generator", () => {
  const { model, generator } = adapted({ dropout: 0.25 });
  const plain = evaluated(adapted().model);
  assertClose(evaluated(model), plain, 0, "evaluation");
  const state = generator.state();
  const [first, second] = [logitsOf(model), logitsOf(model)];
  assert.ok(largestDifference(first, second) > 1e-3);
  generator.setState(state);
  assertClose(logitsOf(model), first, 0, "the same draws again");

  const layer = new LowRankAdapter([1, 1000], { rank: 1, alpha: 1, dropout: 0.25 }, generator);
  layer.setParameter("lora_A.weight", randn([1, 1000], generator).zero_().add(1));
  layer.setParameter("lora_B.weight", randn([1, 1], generator).zero_().add(1));
  const sums = layer.forward(randn([200, 1000], generator).zero_().add(1)); // each a sum of 1000 inputs
  assert.ok(Math.abs(sums.mean().item() - 1000) < 5, `${sums.mean().item()}`);
  const deviation = Math.sqrt(sums.sub(1000).pow(2).mean().item());
  const expected = Math.sqrt(1000 * (0.25 / 0.75));
  assert.ok(Math.abs(deviation / expected - 1) < 0.2, `${deviation}`);
});

describe("targets", () => {
  const namesOf = (options: Parameters<typeof applyLora>[1]) => {
    using model = tinyLlava(1);
    return [...applyLora(model, options, new Generator(1)).keys()];
  };
  const sizes = { rank: 1, alpha: 1 };

  test("are all linear layers of LLaVA's language model but the last, by PEFT's names", () => {
    const names = namesOf(sizes);
    const parts = ["q", "k", "v", "o"].map((x) => `self_attn.${x}_proj`);
    parts.push(...["gate", "up", "down"].map((x) => `mlp.${x}_proj`));
    const expected = [0, 1].flatMap((layer) =>
      parts.flatMap((part) =>
        ["A", "B"].map(
          (x) => `base_model.model.model.language_model.layers.${layer}.${part}.lora_${x}.weight`,
        ),
      ),
    );
    assert.deepEqual(names, expected);
  });

  test("are ends of paths or a pattern", () => {
    assert.equal(namesOf({ ...sizes, targets: ["q_proj"] }).length, 2 * 2); // not the tower's, which are called so, too
    assert.equal(
      namesOf({ ...sizes, targets: ["vision_tower.encoder.layers.0.self_attn.q_proj"] }).length,
      2,
    );
    assert.equal(namesOf({ ...sizes, targets: /^language_model.*\.(q|v)_proj$/ }).length, 2 * 4);
    assert.deepEqual(
      namesOf({ ...sizes, targets: ["lm_head"] })[0],
      "base_model.model.lm_head.lora_A.weight",
    );
  });

  test("that the model lacks, and sizes that cannot be, are named", () => {
    const refused = (options: object, message: RegExp, code = "config") =>
      assert.throws(() => namesOf({ ...sizes, ...options }), { name: "LlavaError", code, message });
    refused({ targets: ["q_proj", "w_pack"] }, /"w_pack"/);
    refused({ targets: /nothing/ }, /\/nothing\//);
    refused({ rank: 0 }, /rank of LoRA is 0/);
    refused({ alpha: Number.NaN }, /alpha of LoRA is NaN/);
    refused({ dropout: 1 }, /dropout of LoRA is 1/);
    const model = tinyLlava(1);
    applyLora(model, sizes, new Generator(1));
    assert.throws(() => applyLora(model, sizes, new Generator(1)), {
      code: "usage",
      message: /q_proj has an adapter/,
    });
  });
});
