import assert from "node:assert/strict";
import { test } from "node:test";
import { assertClose } from "../../test/support/close.ts";
import {
  aten,
  Generator,
  grad,
  inference,
  linear,
  liveTensors,
  randn,
  scope,
  type Tensor,
} from "../torch/index.ts";
import {
  AdaptedLinear,
  BlockLinear,
  Embedding,
  Linear,
  LowRankAdapter,
  layInPanels,
  Module,
  PanelEmbedding,
  PanelLinear,
  project,
} from "./index.ts";

const generator = new Generator(16);
const numbersOf = (tensor: Tensor): Float32Array => tensor.to("float32").toFloat32Array();

function drawn(inFeatures: number, outFeatures: number, bias: boolean): Linear {
  const layer = new Linear(inFeatures, outFeatures, { bias });
  for (const [name, { shape }] of layer.namedParameters()) layer.setParameter(name, randn(shape, generator));
  return layer;
}

function table(count: number, width: number): Embedding {
  const embedding = new Embedding(count, width);
  embedding.setParameter("weight", randn([count, width], generator));
  return embedding;
}

class Some extends Module {
  readonly table = table(50, 32);
  readonly first = drawn(32, 40, true);
  readonly second = drawn(32, 8, true);
  readonly unlike = drawn(32, 8, true).to({ dtype: "bfloat16" });
  readonly inBlocks = BlockLinear.of(drawn(32, 8, false), "Q8_0");
  readonly adapted = new AdaptedLinear(
    drawn(32, 8, false),
    new LowRankAdapter([8, 32], { rank: 2, alpha: 4 }, generator),
  );
}

test("plain layers of one type are laid in panels, and all else stays as it is", () => {
  for (const isTied of [false, true])
    scope(() => {
      const model = new Some();
      const { first, second } = model;
      const x = randn([3, 32], generator);
      const before = [first, second].map((layer) => linear(x, layer.weight, layer.bias));
      const weights = [first, second].map(({ weight }) => numbersOf(weight));
      const rows = numbersOf(model.table.weight);
      layInPanels(model, { dtype: "float32", isTied });
      const kinds = Object.fromEntries(
        [...model.namedModules()].map(([path, module]) => [path, module.constructor]),
      );
      assert.deepEqual(
        [kinds["first"], kinds["second"], kinds["unlike"], kinds["in_blocks"], kinds["table"]],
        [PanelLinear, PanelLinear, Linear, BlockLinear, isTied ? PanelEmbedding : Embedding],
      );
      assert.ok(model.adapted instanceof AdaptedLinear && model.adapted.base.constructor === Linear);
      assert.deepEqual([first.weight.disposed, first.bias!.disposed], [true, false]);
      inference(() => {
        for (const [i, layer] of [model.first, model.second].entries()) {
          assertClose(layer.forward(x), before[i]!, 1e-4, "a layer");
          assert.deepEqual(numbersOf(layer.decoded()), weights[i]);
        }
        assert.deepEqual(
          project(x, [model.first, model.second]).map(numbersOf),
          [model.first, model.second].map((layer) => numbersOf(layer.forward(x))),
        );
        const ids = aten.arange(0, 50, 1, "int64").view([5, 10]);
        assert.deepEqual(numbersOf(model.table.forward(ids)), rows);
        assert.deepEqual(model.table.forward(ids).shape, [5, 10, 32]);
        assert.equal(model.table.dtype, "float32");
      });
    });
});

test("layers that are not all in panels, or not all with a bias, are asked one by one", () =>
  scope(() => {
    const model = new Some();
    const bare = drawn(32, 8, false);
    const x = randn([3, 32], generator);
    const layers = [model.first, model.adapted, bare];
    const expected = layers.map((layer) => numbersOf(layer.forward(x)));
    assert.deepEqual(project(x, layers).map(numbersOf), expected);
    const panels = [model.first, bare].map(
      (layer) => new PanelLinear(layer, { panels: aten.panelsOf([layer.weight])[0]!, dtype: "float32" }),
    );
    inference(() => {
      for (const [i, found] of project(x, panels).entries())
        assert.deepEqual(numbersOf(found), numbersOf(panels[i]!.forward(x)));
    });
  }));

test("an input's gradient goes through panels", () =>
  scope(() => {
    const layer = drawn(32, 40, true);
    const panels = new PanelLinear(layer, { panels: aten.panelsOf([layer.weight])[0]!, dtype: "float32" });
    const gradient = (through: Linear): Tensor => {
      const x = aten.full([2, 32], 0.5, "float32").requiresGrad_();
      const y = through.forward(x);
      return grad([y.mul(y).sum()], [x])[0]!;
    };
    assertClose(gradient(panels), gradient(layer), 1e-3, "the gradient");
  }));

test("tables that give scores give those of their rows", () =>
  scope(() => {
    const own = table(50, 32);
    const laid = new PanelEmbedding(own, { panels: aten.panelsOf([own.weight])[0]!, dtype: "float32" });
    const x = randn([4, 32], generator);
    assertClose(
      inference(() => laid.scores(x)),
      own.scores(x),
      1e-4,
      "scores",
    );
  }));

test("no tensor is left of what panels took the place of", () =>
  scope(() => {
    const model = new Some();
    const held = liveTensors();
    layInPanels(model, { dtype: "float32", isTied: true });
    assert.equal(liveTensors(), held);
  }));
