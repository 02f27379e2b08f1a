import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import { checkGradients } from "../../test/support/gradients.ts";
import { byteWidth, Generator, longTensor, randn, type Tensor, tensor } from "../torch/index.ts";
import {
  activations,
  Embedding,
  initializeLinear,
  LayerNorm,
  Linear,
  type Module,
  QuantizedLinear,
  RmsNorm,
} from "./index.ts";

const generator = new Generator(4);
const normal = (...shape: number[]): Tensor => randn(shape, generator, { dtype: "float64" });

/** Gradients of a module's input and of each of its parameters. */
function checkModule<M extends Module & { forward(x: Tensor): Tensor }>(module: M, input: Tensor): void {
  const names = [...module.namedParameters().keys()];
  const values = module.parameters().map(({ shape }) => normal(...shape));
  checkGradients([input, ...values], ([x, ...parameters]) => {
    for (const [i, name] of names.entries()) Object.assign(module, { [name]: parameters[i] });
    return module.forward(x!);
  });
}

describe("gradients", () => {
  test("Linear", () => checkModule(new Linear(4, 3, { bias: true }), normal(2, 5, 4)));
  test("RmsNorm", () => checkModule(new RmsNorm(4, 1e-5), normal(2, 5, 4)));
  test("LayerNorm", () => checkModule(new LayerNorm(4, 1e-5), normal(2, 5, 4)));
  for (const [name, activation] of Object.entries(activations))
    test(name, () => checkGradients([normal(3, 4).add(0.1)], ([x]) => activation(x!)));
});

const filled = <M extends Module>(module: M): M => {
  for (const [name, { shape }] of module.namedParameters()) module.setParameter(name, normal(...shape));
  return module;
};

test("RmsNorm is x / √(mean x² + ε) · w", () => {
  const layer = filled(new RmsNorm(4, 0.5));
  const x = normal(3, 4);
  const expected = x.div(x.mul(x).mean([-1], true).add(0.5).sqrt()).mul(layer.weight);
  assertClose(layer.forward(x), expected, 1e-6, "RmsNorm");
});

test("LayerNorm is (x − mean) / √(var + ε) · w + b", () => {
  const layer = filled(new LayerNorm(4, 0.5));
  const x = normal(3, 4);
  const centred = x.sub(x.mean([-1], true));
  const expected = centred
    .div(centred.mul(centred).mean([-1], true).add(0.5).sqrt())
    .mul(layer.weight)
    .add(layer.bias);
  assertClose(layer.forward(x), expected, 1e-6, "LayerNorm");
});

test("Linear is x·Wᵀ + b, Embedding picks rows", () => {
  const layer = filled(new Linear(2, 3, { bias: true }));
  const x = normal(4, 2);
  assertClose(layer.forward(x), x.matmul(layer.weight.transpose(0, 1)).add(layer.bias!), 1e-6, "Linear");
  const table = new Embedding(3, 2);
  table.setParameter("weight", tensor([0, 1, 10, 11, 20, 21], { shape: [3, 2] }));
  assert.deepEqual(table.forward(longTensor([2, 0], [1, 2])).toNumbers(), [20, 21, 0, 1]);
  assert.throws(() => table.forward(longTensor([3])), /out of range/);
});

describe("a weight in 8 bits", () => {
  const quantized = (bias: boolean) => {
    const layer = filled(new Linear(64, 32, { bias }));
    const whole = layer.weight.clone();
    return { layer: new QuantizedLinear(layer), whole };
  };

  test("is off by at most half a step of its row, 1/254 of the row's largest value; zeros stay zeros", () => {
    const { layer, whole } = quantized(false);
    assert.deepEqual([layer.weight.dtype, layer.weightScale.dtype], ["int8", "float32"]);
    const steps = whole.abs().amax([1], true).div(127);
    const error = layer.weight.to("float64").mul(layer.weightScale.to("float64").unsqueeze(1)).sub(whole);
    assert.ok(error.abs().div(steps).amax().item() <= 0.5 + 1e-5);
    const zeros = new Linear(2, 2, { bias: false });
    zeros.setParameter("weight", tensor([0, 0, 3, -1], { shape: [2, 2] }));
    const empty = new QuantizedLinear(zeros);
    assert.deepEqual(empty.weight.toNumbers(), [0, 0, 127, -42]);
    assert.deepEqual(empty.forward(tensor([1, 1], { shape: [1, 2] })).toNumbers()[0], 0);
  });

  for (const dtype of ["float32", "bfloat16"] as const)
    test(`gives outputs within what its errors add up to, ${dtype}`, () => {
      const { layer, whole } = quantized(true);
      const x = normal(5, 64).to(dtype);
      const wide = x.to("float64");
      const expected = wide.matmul(whole.transpose(0, 1)).add(layer.bias!);
      const output = layer.forward(x);
      assert.equal(output.dtype, dtype);
      const steps = whole.abs().amax([1]).div(127);
      const bound = wide.abs().sum([1], true).mul(steps.mul(0.5)); // [5, 32]
      const rounding =
        dtype === "bfloat16"
          ? wide
              .abs()
              .matmul(whole.abs().transpose(0, 1))
              .mul(2 ** -7)
          : 1e-4;
      const excess = output.to("float64").sub(expected).abs().sub(bound.add(rounding));
      assert.ok(excess.amax().item() <= 0, `${excess.amax().item()}`);
    });

  test("passes gradients to the input as the values it stands for would, and takes a quarter of the bytes", () => {
    const { layer } = quantized(false);
    const dense = layer.weight.to("float64").mul(layer.weightScale.to("float64").unsqueeze(1));
    checkGradients([normal(3, 64)], ([x]) => layer.forward(x!));
    const x = normal(3, 64).requiresGrad_();
    layer.forward(x).sum().backward();
    assertClose(x.grad!, dense.sum([0]).unsqueeze(0).expand([3, 64]), 1e-5, "gradient");
    const bytes = (parameters: Tensor[]) =>
      parameters.reduce((sum, { elements, dtype }) => sum + elements * byteWidth[dtype], 0);
    assert.equal(bytes(layer.parameters()), 64 * 32 + 32 * 4);
    assert.equal(layer.weight.dtype, "int8");
    assert.throws(() => layer.requiresGrad_(), /floating point/);
  });
});

test("activations have their textbook values", () => {
  const at = (name: keyof typeof activations, x: number) =>
    activations[name](tensor([x], { dtype: "float64" })).item();
  const near = (actual: number, expected: number) =>
    assert.ok(Math.abs(actual - expected) < 1e-7, `${actual}`);
  near(at("gelu", 1), 0.8413447460685429); // Φ(1)
  near(at("gelu_tanh", 1), 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * 1.044715)));
  near(at("quick_gelu", 1), 1 / (1 + Math.exp(-1.702)));
  near(at("silu", -2), -2 / (1 + Math.exp(2)));
  near(at("relu", -2), 0);
});

test("fresh linear weights fill ±1/√in, and the seed determines them", () => {
  const make = (seed: number) => {
    const layer = new Linear(64, 500, { bias: true });
    initializeLinear(layer, new Generator(seed));
    return layer;
  };
  const layer = make(1);
  for (const parameter of layer.parameters()) {
    const largest = parameter.abs().amax().item();
    assert.ok(largest <= 1 / 8 && largest > 0.99 / 8, `${largest}`);
  }
  assert.ok(Math.abs(layer.weight.mean().item()) < 0.002);
  assertClose(make(1).weight, layer.weight, 0, "the same seed");
  assert.notDeepEqual(make(2).weight.toNumbers(), layer.weight.toNumbers());
});
