import assert from "node:assert/strict";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "../../test/support/temporary-folder.ts";
import { ggufDialect } from "../models/index.ts";
import { empty, type Tensor, tensor } from "../torch/index.ts";
import { loadStrict, type ParameterTree } from "./load.ts";
import { openCheckpoint } from "./open.ts";
import { openSafetensors, writeSafetensors } from "./safetensors.ts";
import { openShards } from "./shards.ts";
import { merged, renamed, subtree, type TensorSource, tableSource } from "./source.ts";

const folder = temporaryFolder("load");

function sourceOf(tensors: Record<string, Tensor>, where = "weights"): TensorSource {
  return tableSource(where, new Map(Object.entries(tensors)), {
    info: ({ dtype, shape }) => ({ dtype, shape }),
    read: (value, _, dtype = value.dtype) => value.to(dtype),
  });
}

class Target implements ParameterTree {
  readonly parameters: Map<string, Tensor>;
  sets = 0;

  constructor(shapes: Record<string, number[]>) {
    const places = Object.entries(shapes).map(
      ([name, shape]) => [name, empty(shape, { device: "meta" })] as const,
    );
    this.parameters = new Map(places);
  }

  namedParameters() {
    return this.parameters;
  }

  setParameter(name: string, value: Tensor) {
    this.sets++;
    this.parameters.set(name, value);
  }
}

describe("loadStrict", () => {
  test("fills, converts and reports", () => {
    const target = new Target({ "layer.weight": [2], "layer.bias": [1] });
    const source = sourceOf({
      "layer.bias": tensor([3]),
      "layer.weight": tensor([1.00390625, 2]),
      "rotary_emb.inv_freq": tensor([0]),
    });
    const report = loadStrict(target, source, { dtype: "bfloat16", ignore: [/inv_freq$/] });
    assert.deepEqual(report, { loaded: ["layer.weight", "layer.bias"], ignored: ["rotary_emb.inv_freq"] });
    const weight = target.parameters.get("layer.weight")!;
    assert.equal(weight.dtype, "bfloat16");
    assert.deepEqual(weight.toNumbers(), [1, 2]);
    assert.deepEqual(target.parameters.get("layer.bias")!.toNumbers(), [3]);
  });

  test("what an index of shards does not list is used where there is a place for it, and may be left", () => {
    const target = new Target({ a: [1], b: [1] });
    writeSafetensors(
      join(folder, "listed.safetensors"),
      new Map([
        ["a", tensor([1])],
        ["b", tensor([2])],
        ["other", tensor([3])],
      ]),
    );
    const index = join(folder, "listed.index.json");
    writeFileSync(
      index,
      JSON.stringify({ weight_map: { a: "listed.safetensors", gone: "listed.safetensors" } }),
    );
    const source = renamed(merged(openShards(index, openSafetensors)), (name) => name);
    assert.deepEqual(loadStrict(target, source).ignored, ["other"]);
    assert.equal(target.parameters.get("b")!.item(), 2);
  });

  test("everything that does not fit is said at once, before anything is loaded", () => {
    const target = new Target({ "layer.weight": [2, 3], "layer.bias": [2], "layer.norm.weight": [2] });
    const source = sourceOf({
      "layer.weight": tensor([1, 2, 3, 4], { shape: [2, 2] }),
      "layer.bias": tensor([1, 2]),
      "layer.norms.weight": tensor([1, 2]),
      zebra: tensor([0]),
    });
    assert.throws(() => loadStrict(target, source), {
      name: "LlavaError",
      code: "checkpoint",
      message:
        "weights does not fit the model: 1 missing: layer.norm.weight (nearest: layer.norms.weight); " +
        "2 not expected: layer.norms.weight (nearest: layer.norm.weight), zebra; " +
        "1 of another shape: layer.weight is [2, 2], expected [2, 3]",
    });
    assert.equal(target.sets, 0);
  });

  test("long lists are cut", () => {
    const shapes = Object.fromEntries(Array.from({ length: 11 }, (_, i) => [`layers.${i}`, [1]]));
    assert.throws(
      () => loadStrict(new Target(shapes), sourceOf({})),
      /11 missing: layers\.0, layers\.1, .*layers\.7 and 3 more$/,
    );
  });

  test("a transposed weight is not taken for the right one", () => {
    const source = sourceOf({ w: tensor([1, 2, 3], { shape: [3, 1] }) });
    assert.throws(() => loadStrict(new Target({ w: [1, 3] }), source), /w is \[3, 1\], expected \[1, 3\]/);
    assert.throws(() => loadStrict(new Target({ w: [3] }), source), /w is \[3, 1\], expected \[3\]/);
  });
});

describe("views of sources", () => {
  const source = sourceOf({ "a.x": tensor([1]), "a.y": tensor([2]), "b.x": tensor([3]) }, "base");

  test("renamed and subtree", () => {
    const view = renamed(source, (name) => (name === "a.y" ? undefined : name.toUpperCase()));
    assert.deepEqual([...view.names()], ["A.X", "B.X"]);
    assert.equal(view.read("B.X").item(), 3);
    assert.equal(view.has("a.x"), false);
    assert.throws(() => view.read("a.x"), { code: "checkpoint", message: "base has no tensor a.x" });
    assert.deepEqual([...subtree(source, "a.").names()], ["x", "y"]);
  });

  test("two tensors under one name are refused", () => {
    assert.throws(() => renamed(source, (name) => name.slice(2)), /base: a\.x and b\.x are both x/);
  });

  test("merged takes the first of equals", () => {
    const other = sourceOf({ "a.x": tensor([9]), c: tensor([4]) }, "other");
    const both = merged(source, other);
    assert.deepEqual([...both.names()], ["a.x", "a.y", "b.x", "c"]);
    assert.deepEqual([both.read("a.x").item(), both.read("c").item()], [1, 4]);
    assert.throws(() => both.info("d"), /base \+ other has no tensor d/);
  });
});

describe("openCheckpoint", () => {
  const fixture = (name: string) =>
    fileURLToPath(new URL(`../../test/fixtures/checkpoint/${name}`, import.meta.url));

  test("names what it looked for where there is nothing", () => {
    assert.throws(() => openCheckpoint(folder), {
      code: "checkpoint",
      message:
        /no weights; looked for model\.safetensors, model\.safetensors\.index\.json, pytorch_model\.bin, .*\*\.gguf/,
    });
    assert.throws(() => openCheckpoint(join(folder, "nowhere")), { hint: /does not exist/ });
  });

  test("takes GGUF, then pickles, then safetensors, each under canonical names", () => {
    copyFileSync(fixture("quantised.gguf"), join(folder, "model.gguf"));
    const gguf = openCheckpoint(folder, ggufDialect);
    assert.ok(gguf.has("model.language_model.layers.0.mlp.down_proj.weight") && gguf.has("lm_head.weight"));

    copyFileSync(fixture("state.pth"), join(folder, "pytorch_model.bin"));
    assert.ok(openCheckpoint(folder).has("transposed"));

    writeSafetensors(
      join(folder, "shard.safetensors"),
      new Map([["model.mm_projector.2.bias", tensor([5])]]),
    );
    const index = { weight_map: { "model.mm_projector.2.bias": "shard.safetensors" } };
    writeFileSync(join(folder, "model.safetensors.index.json"), JSON.stringify(index));
    assert.equal(openCheckpoint(folder).read("model.multi_modal_projector.linear_2.bias").item(), 5);
  });

  test("one naming convention at a time", () => {
    const path = join(folder, "model.safetensors");
    writeSafetensors(
      path,
      new Map([
        ["lm_head.weight", tensor([1])],
        ["language_model.lm_head.weight", tensor([1])],
      ]),
    );
    assert.throws(() => openCheckpoint(folder), /are both lm_head\.weight/);
  });
});
