import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkGradients } from "../../test/support/gradients.ts";
import {
  aten,
  backward,
  crossEntropy,
  Generator,
  grad,
  inference,
  keep,
  longTensor,
  noGrad,
  ones,
  randn,
  scaledDotProductAttention,
  scope,
  stack,
  type Tensor,
  TorchError,
  tensor,
} from "./index.ts";

const generator = new Generator(3);
const normal = (...shape: number[]): Tensor => keep(randn(shape, generator, { dtype: "float64" }));
const positive = (...shape: number[]): Tensor =>
  keep(
    normal(...shape)
      .abs()
      .add(0.5),
  );

describe("gradients equal central differences", () => {
  const unary: Record<string, (x: Tensor) => Tensor> = {
    neg: (x) => x.neg(),
    exp: (x) => x.exp(),
    sin: (x) => x.sin(),
    cos: (x) => x.cos(),
    sigmoid: (x) => x.sigmoid(),
    logSigmoid: (x) => aten.logSigmoid(x),
    silu: (x) => aten.silu(x),
    gelu: (x) => aten.gelu(x),
    "gelu tanh": (x) => aten.gelu(x, "tanh"),
    "pow 3": (x) => x.pow(3),
    softmax: (x) => aten.softmax(x, -1),
    "log softmax": (x) => aten.logSoftmax(x, -1),
    mean: (x) => x.mean([0], true),
    sum: (x) => x.sum([1]),
    amax: (x) => x.amax([1]),
    transpose: (x) => x.transpose(1, 0).reshape([4, 3]),
    slice: (x) => x.slice(1, 1, 4, 2),
    "chunk and cat": (x) => aten.cat(x.chunk(2, 1).toReversed(), 1),
    pad: (x) => aten.constantPad(x, [1, 2]),
    "masked fill": (x) => x.maskedFill(x.gt(0), 0.5),
    "index select": (x) => x.indexSelect(0, longTensor([2, 0, 2])),
    "expand and stack": (x) => stack([x.unsqueeze(0).expand([2, 3, 4]), x.unsqueeze(0).expand([2, 3, 4])]),
  };
  for (const [name, operator] of Object.entries(unary))
    test(name, () => checkGradients([normal(3, 4)], ([x]) => operator(x!)));
  for (const [name, operator] of Object.entries({ log: aten.log, sqrt: aten.sqrt }))
    test(name, () => checkGradients([positive(3, 4)], ([x]) => operator(x!)));

  test("add, sub, mul, div with broadcasting", () =>
    checkGradients([normal(3, 4), normal(4), positive(3, 1)], ([a, b, c]) =>
      a!.add(b!).mul(a!.sub(c!)).div(c!),
    ));
  test("matmul", () => checkGradients([normal(2, 3, 4), normal(4, 5)], ([a, b]) => a!.matmul(b!)));
  test("linear", () =>
    checkGradients([normal(2, 3, 4), normal(5, 4), normal(5)], ([x, w, b]) => aten.linear(x!, w!, b)));
  test("embedding", () => checkGradients([normal(5, 3)], ([w]) => aten.embedding(w!, longTensor([4, 1, 4]))));
  test("index copy", () =>
    checkGradients([normal(4, 3), normal(2, 3)], ([x, y]) => aten.indexCopy(x!, 0, longTensor([3, 1]), y!)));
  test("rms norm", () =>
    checkGradients([normal(2, 3, 4), normal(4)], ([x, w]) => aten.rmsNorm(x!, w!, 1e-5)));
  test("layer norm", () =>
    checkGradients([normal(2, 3, 4), normal(4), normal(4)], ([x, w, b]) => aten.layerNorm(x!, [4], w, b)));
  test("convolution", () =>
    checkGradients([normal(2, 4, 5, 5), normal(4, 2, 3, 3)], ([x, w]) =>
      aten.conv2d(x!, w!, undefined, [2, 2], [1, 1], [1, 1], 2),
    ));
  test("average pooling", () =>
    checkGradients([normal(1, 2, 5, 5)], ([x]) => aten.adaptiveAvgPool2d(x!, [3, 3])));
  test("cross-entropy that ignores some targets", () =>
    checkGradients([normal(4, 6)], ([x]) => crossEntropy(x!, longTensor([5, -100, 0, 2]))));
  for (const causal of [false, true])
    test(`attention${causal ? ", causal" : ""}`, () =>
      checkGradients([normal(1, 2, 3, 4), normal(1, 2, 3, 4), normal(1, 2, 3, 4)], ([q, k, v]) =>
        scaledDotProductAttention(q!, k!, v!, { causal }),
      ));
});

test("gradients add up, are cleared, and belong to leaves only", () => {
  const weight = tensor([2, 3]).requiresGrad_();
  const gradient = () => weight.grad?.toNumbers();
  assert.equal(gradient(), undefined);
  for (let i = 0; i < 2; i++) weight.mul(weight).sum().backward();
  assert.deepEqual(gradient(), [8, 12]);
  weight.grad = ones([2]);
  weight.mul(5).sum().backward();
  assert.deepEqual(gradient(), [6, 6]);
  weight.grad = undefined;
  assert.equal(gradient(), undefined);
  const frozen = tensor([1, 1]);
  weight.mul(frozen).sum().backward();
  assert.equal(frozen.grad, undefined);
  assert.deepEqual(
    [weight.requiresGrad, frozen.requiresGrad, weight.mul(2).requiresGrad],
    [true, false, true],
  );
});

test("a graph is used once, unless it is retained", () => {
  const weight = tensor([2]).requiresGrad_();
  const output = weight.mul(weight).sum();
  backward([output], { retainGraph: true });
  backward([output]);
  assert.deepEqual(weight.grad?.toNumbers(), [8]);
  assert.throws(
    () => backward([output]),
    (error) => error instanceof TorchError && /second time/.test(error.message),
  );
  assert.throws(() => backward([weight.mul(ones([3]))]), /scalar outputs/);
});

test("given output gradients weigh the outputs", () => {
  const weight = tensor([1, 2]).requiresGrad_();
  backward([weight.mul(3)], { gradients: [tensor([10, 100])] });
  assert.deepEqual(weight.grad?.toNumbers(), [30, 300]);
});

test("grad returns gradients without touching .grad, undefined where unused, and differentiates twice", () => {
  const x = tensor([3]).requiresGrad_();
  const unused = tensor([1]).requiresGrad_();
  const [first, none] = grad([x.pow(3).sum()], [x, unused], { createGraph: true });
  assert.deepEqual([first!.item(), none, x.grad], [27, undefined, undefined]);
  assert.equal(grad([first!.sum()], [x])[0]!.item(), 18);
});

test("noGrad and inference end when their body does, however it does", () => {
  const weight = tensor([2]).requiresGrad_();
  const recording = () => weight.mul(2).requiresGrad;
  for (const mode of [noGrad, inference]) {
    assert.equal(mode(recording), false);
    assert.equal(recording(), true);
    assert.throws(() =>
      mode(() => {
        mode(() => assert.equal(recording(), false));
        assert.equal(recording(), false);
        throw new Error("on purpose");
      }),
    );
    assert.equal(recording(), true);
  }
  assert.equal(
    noGrad(() => inference(recording)),
    false,
  );
  assert.equal(recording(), true);
});

test("tensors of inference mode take no part in autograd", () => {
  const made = inference(() => ones([1]).mul(2));
  const weight = tensor([2]).requiresGrad_();
  assert.throws(() => weight.mul(made).sum().backward(), /[Ii]nference tensors/);
  assert.equal(made.add(1).item(), 3);
});

test("a graph survives the scope that built it, when its output is returned", () => {
  const weight = tensor([1.5]).requiresGrad_();
  const loss = scope(() => weight.mul(4).exp().log().sum());
  loss.backward();
  assert.ok(Math.abs(weight.grad!.item() - 4) < 1e-5);
});
