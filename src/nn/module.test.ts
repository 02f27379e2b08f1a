import assert from "node:assert/strict";
import { test } from "node:test";
import { collectGarbage } from "../../test/support/garbage.ts";
import { Generator, liveTensors, ones, scope, type Tensor } from "../torch/index.ts";
import {
  AdaptedLinear,
  Embedding,
  LayerNorm,
  Linear,
  LowRankAdapter,
  Module,
  placeholder,
  RmsNorm,
} from "./index.ts";

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

test("replace puts a module in the place of another, at any depth and in lists, whose names it may keep", () => {
  const model = new Model();
  const names = [...model.namedParameters().keys()];
  for (const path of ["layers.1.self_attn", "lm_head"]) {
    const base = new Map(model.namedModules()).get(path);
    assert.ok(base instanceof Linear);
    const adapter = new LowRankAdapter([base.weight.size(0), 2], { rank: 1, alpha: 1 }, new Generator(1));
    const adapted = new AdaptedLinear(base, adapter);
    model.replace(path, adapted);
    const added = [`${path}.adapter.lora_A.weight`, `${path}.adapter.lora_B.weight`];
    assert.deepEqual(
      [...model.namedParameters().keys()].filter((name) => !names.includes(name)),
      added,
    );
    model.setParameter(`${path}.weight`, ones(base.weight.shape));
    assert.deepEqual(
      [...model.namedModules()].filter(([name]) => name === path).map(([, module]) => module),
      [adapted, base],
    );
    model.replace(path, base);
    assert.deepEqual([...model.namedParameters().keys()], names);
  }
  const block = new Block();
  model.replace("layers.0", block);
  assert.equal(model.layers[0], block);
  for (const path of ["", "layers", "layers.2", "layers.0.weight", "head"])
    assert.throws(() => model.replace(path, block), {
      code: "usage",
      message: `there is no module "${path}"`,
    });
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
