import assert from "node:assert/strict";
import { test } from "node:test";
import { collectGarbage } from "../../test/support/garbage.ts";
import { liveTensors, ones, scope, type Tensor } from "../torch/index.ts";
import { Embedding, LayerNorm, Linear, Module, placeholder, RmsNorm } from "./index.ts";

class Block extends Module {
  readonly selfAttn = new Linear(2, 3, { bias: true });
  readonly layerNorm1 = new RmsNorm(2, 1e-5);
}

class Model extends Module {
  protected override readonly keys = { head: "lm_head", convStem: "_conv_stem" };
  readonly embedTokens = new Embedding(5, 2);
  readonly layers = [new Block(), new Block()];
  readonly head = new Linear(2, 5, { bias: false });
  readonly convStem: Tensor = placeholder([1]);
  readonly #hidden = placeholder([7]);
  readonly width = 3;

  get hidden(): Tensor {
    return this.#hidden;
  }
}

const block = (i: number): string[] =>
  ["self_attn.weight", "self_attn.bias", "layer_norm1.weight"].map((name) => `layers.${i}.${name}`);

test("keys are the fields' paths in snake case, with indices and a class's own names; # fields are none", () => {
  const model = new Model();
  const expected = ["embed_tokens.weight", ...block(0), ...block(1), "lm_head.weight", "_conv_stem"];
  assert.deepEqual([...model.namedParameters().keys()], expected);
  assert.deepEqual(
    [...model.namedParameters("model.").keys()],
    expected.map((name) => `model.${name}`),
  );
  assert.equal(model.parameters().length, expected.length);
});

test("setParameter replaces and disposes, at any depth; an unknown name is an error", () => {
  const model = new Model();
  for (const name of ["layers.1.self_attn.bias", "lm_head.weight", "_conv_stem"]) {
    const old = model.namedParameters().get(name)!;
    const fresh = ones(old.shape);
    scope(() => model.setParameter(name, fresh));
    assert.equal(model.namedParameters().get(name), fresh);
    assert.deepEqual([old.disposed, fresh.disposed], [true, false]);
    model.setParameter(name, fresh); // itself again
    assert.equal(fresh.disposed, false);
  }
  for (const name of [
    "",
    "layers",
    "layers.2.self_attn.bias",
    "layers.1.self_attn",
    "head.weight",
    "hidden",
    "width",
  ])
    assert.throws(() => model.setParameter(name, ones([1])), {
      name: "LlavaError",
      message: new RegExp(`"${name}"`),
    });
});

test("a parameter set inside a scope lives on", () => {
  const layer = new Linear(1, 1, { bias: false });
  scope(() => layer.setParameter("weight", ones([1, 1]).mul(3)));
  assert.deepEqual(layer.forward(ones([1, 1])).toNumbers(), [3]);
});

test("placeholders take no memory and cannot be computed with", () => {
  const layer = new Linear(1 << 20, 1 << 20, { bias: false }); // 4 TiB
  assert.deepEqual(layer.weight.shape, [1 << 20, 1 << 20]);
  assert.equal(layer.weight.device, "meta");
  assert.throws(() => layer.weight.toNumbers());
});

test("requiresGrad_ and to reach every parameter", () => {
  const model = new Model();
  for (const [name, { shape }] of model.namedParameters()) model.setParameter(name, ones(shape));
  model.requiresGrad_();
  assert.ok(model.parameters().every((parameter) => parameter.requiresGrad));
  model.requiresGrad_(false).to({ dtype: "bfloat16" });
  assert.ok(model.parameters().every(({ dtype, requiresGrad }) => dtype === "bfloat16" && !requiresGrad));
});

test("disposing a module frees its parameters", () => {
  collectGarbage();
  const before = liveTensors();
  const layer = new LayerNorm(4, 1e-5);
  assert.equal(liveTensors(), before, "a shape is none of libtorch's tensors");
  for (const name of layer.namedParameters().keys()) layer.setParameter(name, ones([4]));
  assert.equal(liveTensors() - before, 2);
  layer[Symbol.dispose]();
  assert.equal(liveTensors(), before);
});
