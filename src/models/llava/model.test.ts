import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClose } from "../../../test/support/close.ts";
import { collectGarbage } from "../../../test/support/garbage.ts";
import { checkGradients } from "../../../test/support/gradients.ts";
import {
  checkModuleGradients,
  IMAGE_ID,
  randomize,
  tinyLlava,
  tinyVision,
} from "../../../test/support/random-model.ts";
import { AdamW } from "../../optim/index.ts";
import { rowsOf } from "../../processing/image/index.ts";
import {
  cat,
  crossEntropy,
  Generator,
  liveTensors,
  longTensor,
  noGrad,
  randn,
  scope,
  type Tensor,
} from "../../torch/index.ts";
import { ClipVisionTower, Projector } from "../index.ts";

const generator = new Generator(9);
const model = tinyLlava(1);
const TOKENS = 4; // rows of features of one image
const image = Array<number>(TOKENS).fill(IMAGE_ID);
const pixels = (count: number): Tensor => randn([count, 3, 8, 8], generator);

describe("spliceImages", () => {
  const splice = (ids: number[][], features: Tensor): Tensor =>
    noGrad(() => model.spliceImages(longTensor(ids.flat(), [ids.length, ids[0]!.length]), features));
  const features = randn([2, TOKENS, 16], generator);

  test("rows of features take the placeholders' places in order, over the rows of a batch", () => {
    const ids = [
      [1, ...image, 2, 3],
      [4, 5, 6, ...image],
    ];
    const spliced = splice(ids, features);
    const text = (...values: number[]) => model.languageModel.embed(longTensor(values));
    const expected = [
      cat([text(1), features.select(0, 0), text(2, 3)]),
      cat([text(4, 5, 6), features.select(0, 1)]),
    ];
    for (const [i, row] of expected.entries()) assertClose(spliced.select(0, i), row, 0, `row ${i}`);
  });

  test("two images in one row, next to each other", () => {
    const spliced = splice([[...image, ...image, 7]], features);
    assertClose(spliced.select(0, 0).slice(0, 0, 8), features.flatten(0, 1), 0, "features");
  });

  test("a wrong count names both numbers", () => {
    for (const [ids, rows] of [
      [[1, ...image], 4],
      [[1, ...image, ...image, IMAGE_ID], 9],
      [[1, 2], 0],
    ] as const)
      assert.throws(() => splice([[...ids]], features), {
        code: "prompt",
        message: `Image tokens (${rows}) do not match image features (8)`,
      });
  });

  test("gradients reach the features and the token table", () => {
    const wide = tinyLlava(2, "float64");
    const projected = randn([1, TOKENS, 16], generator, { dtype: "float64" });
    const table = new Map(wide.languageModel.namedModules()).get("embed_tokens")!;
    checkModuleGradients(table, [projected], ([x]) =>
      wide.spliceImages(longTensor([3, ...image, 3], [1, 6]), x!),
    );
  });
});

test("a prompt without images is its token embeddings", () => {
  const ids = longTensor([1, 2, 3], [1, 3]);
  assertClose(model.embed(ids), model.languageModel.embed(ids), 0, "embeddings");
  assert.deepEqual(model.forward(ids).shape, [1, 3, 48]);
});

test("an image changes the logits after it and none before", () => {
  const ids = longTensor([1, 2, ...image, 3], [1, 7]);
  const [one, other] = noGrad(() => [model.forward(ids, pixels(1)), model.forward(ids, pixels(1))]);
  assertClose(one!.slice(1, 0, 2), other!.slice(1, 0, 2), 0, "before");
  assert.ok(one!.sub(other!).abs().slice(1, 6).amax().item() > 1e-4);
});

describe("the vision tower", () => {
  const hidden = (featureLayers: number[], selectStrategy: "patch" | "full", input: Tensor) => {
    const tower = randomize(new ClipVisionTower(tinyVision, { featureLayers, selectStrategy }), 5);
    const features = noGrad(() => tower.forward(input));
    assert.deepEqual([rowsOf(tower.grid), tower.hiddenSize], features.shape.slice(1));
    return { features, layers: tower.encoder.layers.length };
  };
  const input = pixels(2);

  test("runs up to the deepest layer that is wanted, counted from either end", () => {
    assert.equal(hidden([-2], "patch", input).layers, 2);
    assert.equal(hidden([-1], "patch", input).layers, 3);
    assert.equal(hidden([0], "patch", input).layers, 0);
    assertClose(hidden([2], "full", input).features, hidden([-2], "full", input).features, 0, "layer 2 of 3");
  });

  test("patch drops the class token; several layers are concatenated", () => {
    const full = hidden([1, -2], "full", input).features;
    assert.deepEqual(full.shape, [2, 5, 24]);
    const patch = hidden([1, -2], "patch", input).features;
    assertClose(patch, full.slice(1, 1), 0, "patches");
    const [lower, upper] = full.chunk(2, -1);
    assert.ok(lower!.sub(upper!).abs().amax().item() > 1e-3);
  });

  test("images of a batch do not see each other", () => {
    const { features } = hidden([-1], "full", input);
    assertClose(hidden([-1], "full", input.slice(0, 1)).features, features.slice(0, 1), 1e-5, "second image");
  });

  test("gradients of pixels and of every parameter", () => {
    const config = { ...tinyVision, numLayers: 1 };
    const selection = { featureLayers: [-1], selectStrategy: "patch" } as const;
    const tower = randomize(new ClipVisionTower(config, selection), 6, "float64");
    checkModuleGradients(tower, [pixels(1).to("float64")], ([x]) => tower.forward(x!));
  });
});

describe("the projector", () => {
  for (const [depth, keys] of [
    [0, []],
    [1, ["linear_1.weight", "linear_1.bias"]],
    [3, [1, 2, 3].flatMap((i) => [`linear_${i}.weight`, `linear_${i}.bias`])],
  ] as const)
    test(`of depth ${depth}: keys and gradients`, () => {
      const type = (["identity", "linear", "mlp"] as const)[Math.min(depth, 2)]!;
      const projector = new Projector(
        { type, depth, act: "gelu", bias: true },
        { in: 5, out: depth === 0 ? 5 : 4, hidden: 3 },
      );
      assert.deepEqual([...projector.namedParameters().keys()], keys);
      randomize(projector, 7, "float64");
      const input = randn([2, 3, 5], generator, { dtype: "float64" });
      if (depth === 0) assertClose(projector.forward(input), input, 0, "identity");
      else checkModuleGradients(projector, [input], ([x]) => projector.forward(x!));
    });
});

test("only what is trained gets gradients, and training it lowers the loss without leaking a tensor", () => {
  const trained = tinyLlava(3);
  trained.projector.requiresGrad_();
  const optimizer = new AdamW([
    { parameters: trained.projector.namedParameters(), learningRate: 0.01, weightDecay: 0 },
  ]);
  const pixelValues = pixels(1);
  const ids = longTensor([1, ...image, 2, 3], [1, 7]);
  const targets = longTensor([...Array<number>(5).fill(-100), 3, 9]);
  const step = (): number =>
    scope(() => {
      optimizer.clearGradients();
      const loss = crossEntropy(trained.forward(ids, pixelValues).flatten(0, 1), targets);
      loss.backward();
      optimizer.step();
      return loss.item();
    });
  const losses = [step(), step()];
  for (const [name, parameter] of trained.namedParameters())
    scope(() => assert.equal(parameter.grad !== undefined, name.startsWith("multi_modal_projector."), name));
  collectGarbage();
  const before = liveTensors();
  for (let i = 0; i < 30; i++) losses.push(step());
  collectGarbage();
  assert.equal(liveTensors(), before);
  assert.ok(losses.at(-1)! < losses[0]! - 0.1, `${losses[0]} → ${losses.at(-1)}`);
});

test("gradients of the pixels through the whole model", () => {
  const wide = tinyLlava(4, "float64");
  const ids = longTensor([1, ...image, 2, 3], [1, 7]);
  checkGradients([pixels(1).to("float64")], ([x]) => wide.forward(ids, x!));
});

test("float32 weights under bfloat16 activations compute what bfloat16 weights do, and learn in float32", () => {
  const inputIds = longTensor([1, ...image, 2, 3], [1, 3 + TOKENS]);
  const targets = longTensor([...image.map(() => -100), 2, 3, 1].slice(-7));
  const measure = (chosen: typeof model) =>
    scope(() => {
      chosen.requiresGrad_();
      const logits = chosen.forward(inputIds, images);
      crossEntropy(logits.flatten(0, 1).to("float32"), targets).backward();
      const gradients = [...chosen.namedParameters()].map(
        ([name, { grad }]) => [name, grad!.clone()] as const,
      );
      return { logits: logits.detach(), gradients: new Map(gradients) };
    });
  const images = pixels(1);
  const narrow = measure(tinyLlava(5).to({ dtype: "bfloat16" }));
  const masters = tinyLlava(5).to({ dtype: "bfloat16" }).to({ dtype: "float32" }); // the same values
  masters.computeDtype = "bfloat16";
  const wide = measure(masters);
  assert.deepEqual([narrow.logits.dtype, wide.logits.dtype], ["bfloat16", "bfloat16"]);
  assertClose(wide.logits, narrow.logits, 0, "logits");
  for (const [name, gradient] of narrow.gradients) {
    assert.equal(wide.gradients.get(name)!.dtype, "float32", name);
    const scale = gradient.to("float32").abs().amax().item();
    assertClose(wide.gradients.get(name)!, gradient.to("float32"), 2 ** -7 * scale, `gradient of ${name}`);
  }
});

test("a frozen tower computes in its weights' type, the cache and embeddings in the chosen one", () => {
  const masters = tinyLlava(5);
  masters.computeDtype = "bfloat16";
  const features = noGrad(() => masters.encodeImages(pixels(1)));
  assert.deepEqual([features.dtype, noGrad(() => masters.project(features)).dtype], ["float32", "bfloat16"]);
  using cache = masters.languageModel.newCache({ batch: 1, capacity: 2 });
  const rows = noGrad(() =>
    masters.languageModel.forward(masters.embed(longTensor([1, 2], [1, 2])), { cache }),
  );
  assert.equal(rows.dtype, "bfloat16");
});

test("tells what files hold and it has no place for by the paths of its parts", () => {
  const unused = (name: string) => model.unused.some((pattern) => pattern.test(name));
  assert.ok(unused("vision_tower.encoder.layers.2.mlp.fc1.bias"));
  assert.ok(!unused("language_model.layers.10.mlp.up_proj.weight"));
  assert.ok(!unused("encoder.layers.2.mlp.fc1.bias"));
  for (const name of model.namedParameters().keys()) assert.ok(!unused(name), name);
});

test("has a canonical name for each parameter, which leads back to it", () => {
  for (const named of [model, model.languageModel])
    for (const path of named.namedParameters().keys()) {
      const canonical = named.paths.read(path)!;
      assert.equal(named.paths.write(canonical), path);
      assert.equal(named.layout.read(named.layout.write(canonical)!), canonical);
    }
});
