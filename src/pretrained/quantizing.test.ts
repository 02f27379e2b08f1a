// Frozen weights in 8 bits under adapters: npm test -- src/pretrained/quantizing.test.ts
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { assertClose, largestDifference } from "../../test/support/close.ts";
import { QuantizedLinear } from "../nn/index.ts";
import { byteWidth, crossEntropy, Generator, longTensor, noGrad, randn, scope } from "../torch/index.ts";
import { applyLora, loadCheckpoint, mergeLora, type PretrainedLlava } from "./index.ts";
import { linears } from "./lora.ts";

const folder = fileURLToPath(new URL("../../test/fixtures/llava/llama", import.meta.url));
const ids = longTensor([1, 40, 41, 42, 43, 44], [1, 6]);
const logitsOf = ({ model }: PretrainedLlava) => model.forward(ids);

test("the decoder's layers are loaded in 8 bits, all else as stored, and say nearly the same", async () => {
  using whole = await loadCheckpoint(folder);
  using narrow = await loadCheckpoint(folder, { frozenWeights: "int8" });
  const inLayers = /^language_model\.layers\..*_proj\.weight$/;
  let count = 0;
  for (const [name, { dtype }] of narrow.model.namedParameters()) {
    assert.equal(dtype, inLayers.test(name) ? "int8" : "float32", name);
    count += Number(dtype === "int8");
  }
  assert.equal(count, 14);
  const [expected, actual] = noGrad(() => [logitsOf(whole), logitsOf(narrow)] as const);
  const difference = largestDifference(actual, expected) / expected.abs().amax().item();
  assert.ok(difference > 0 && difference < 0.05, `${difference}`);
});

test("adapters' gradients are those beside the same weights in floating point", async () => {
  using narrow = await loadCheckpoint(folder, { frozenWeights: "int8" });
  using wide = await loadCheckpoint(folder);
  scope(() => {
    for (const [name, linear] of linears(narrow.model))
      if (linear instanceof QuantizedLinear)
        wide.model.setParameter(
          `${name}.weight`,
          linear.weight.to("float32").mul(linear.weightScale.unsqueeze(1)),
        );
  });
  const gradientsOf = (loaded: PretrainedLlava) => {
    using generator = new Generator(7);
    const parameters = applyLora(loaded.model, { rank: 2, alpha: 4 }, generator);
    noGrad(() => {
      for (const parameter of parameters.values())
        parameter.copy_(randn(parameter.shape, generator).mul(0.1));
    });
    crossEntropy(logitsOf(loaded).squeeze(0), ids.flatten()).backward();
    return new Map([...parameters].map(([name, { grad }]) => [name, grad!]));
  };
  const [actual, expected] = [gradientsOf(narrow), gradientsOf(wide)];
  assert.ok(actual.size === 28);
  for (const [name, gradient] of actual) {
    const scale = expected.get(name)!.abs().amax().item();
    assert.ok(scale > 0, name);
    assertClose(gradient.div(scale), expected.get(name)!.div(scale), 1e-4, name);
  }
});

test("adapters learn beside weights in 8 bits, and are not merged into them", async () => {
  using loaded = await loadCheckpoint(folder, { frozenWeights: "int8", dtype: "bfloat16" });
  const { model } = loaded;
  const { layers } = model.languageModel;
  const bytes = layers
    .flatMap((layer) => layer.parameters())
    .reduce((sum, { elements, dtype }) => sum + elements * byteWidth[dtype], 0);
  const values = layers
    .flatMap((layer) => layer.parameters())
    .reduce((sum, { elements }) => sum + elements, 0);
  assert.ok(bytes < 1.3 * values, `${bytes} bytes of ${values} values`);
  using generator = new Generator(1);
  const parameters = applyLora(model, { rank: 2, alpha: 4 }, generator);
  const loss = () => crossEntropy(logitsOf(loaded).squeeze(0).to("float32"), ids.flatten());
  const losses = Array.from({ length: 30 }, () =>
    scope(() => {
      const value = loss();
      value.backward();
      noGrad(() => {
        for (const parameter of parameters.values()) {
          parameter.copy_(parameter.sub(parameter.grad!.mul(0.1)));
          parameter.grad = undefined;
        }
      });
      return value.item();
    }),
  );
  assert.ok(losses.at(-1)! < 0.5 * losses[0]!, `${losses[0]} to ${losses.at(-1)}`);
  assert.throws(() => mergeLora(model), { code: "usage", message: /8 bits/ });
});
