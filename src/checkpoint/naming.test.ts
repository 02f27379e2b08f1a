import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { BESIDE_TOWERS } from "../models/index.ts";
import { canonicalName, layouts, type Naming, naming, RECOMPUTED_TENSORS } from "./naming.ts";
import { openWeights } from "./weights-file.ts";

const CONVENTIONS: Record<string, readonly string[]> = {
  "model.language_model.embed_tokens.weight": [
    "model.embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
  ],
  "model.language_model.layers.31.self_attn.q_proj.bias": [
    "model.layers.31.self_attn.q_proj.bias",
    "language_model.model.layers.31.self_attn.q_proj.bias",
  ],
  "model.language_model.norm.weight": ["model.norm.weight", "language_model.model.norm.weight"],
  "lm_head.weight": ["lm_head.weight", "language_model.lm_head.weight"],
  "model.multi_modal_projector.linear_1.weight": [
    "model.mm_projector.weight",
    "mm_projector.0.weight",
    "model.mm_projector.0.weight",
    "multi_modal_projector.linear_1.weight",
  ],
  "model.multi_modal_projector.linear_2.bias": [
    "model.mm_projector.2.bias",
    "multi_modal_projector.linear_2.bias",
  ],
  "model.vision_tower.encoder.layers.3.mlp.fc1.bias": [
    "model.vision_tower.vision_tower.vision_model.encoder.layers.3.mlp.fc1.bias",
    "vision_tower.vision_model.encoder.layers.3.mlp.fc1.bias",
    "vision_tower.encoder.layers.3.mlp.fc1.bias",
    "model.vision_tower.vision_model.encoder.layers.3.mlp.fc1.bias",
    "vision_model.encoder.layers.3.mlp.fc1.bias",
    "encoder.layers.3.mlp.fc1.bias",
  ],
  "model.vision_tower.pre_layrnorm.weight": ["vision_model.pre_layrnorm.weight", "pre_layrnorm.weight"],
  "model.image_newline": ["image_newline"],
};

describe("canonicalName", () => {
  for (const [canonical, spellings] of Object.entries(CONVENTIONS)) {
    test(canonical, () => {
      const written = Object.values(layouts).map((layout) => layout.write(canonical) ?? canonical);
      for (const name of [canonical, ...spellings, ...written])
        assert.equal(canonicalName(name), canonical, name);
    });
  }

  test("has the original code's name written, which counts a projector's layers by twos, one layer not at all", () => {
    const layer = (n: number) => `model.multi_modal_projector.linear_${n}.bias`;
    assert.equal(layouts.original.write(layer(2)), "model.mm_projector.2.bias");
    assert.equal(layouts.originalLinear.write(layer(1)), "model.mm_projector.bias");
    assert.equal(
      layouts.original.write("model.vision_tower.pre_layrnorm.weight"),
      "model.vision_tower.vision_tower.vision_model.pre_layrnorm.weight",
    );
  });

  test("leaves unknown names alone", () => {
    for (const name of ["text_model.encoder.layers.0.mlp.fc1.bias", "optimizer.step", "logit_scale"]) {
      assert.equal(canonicalName(name), name);
    }
  });
});

/** The names of a fixture's tensors, as they are stored, but for what a whole CLIP model has beside its tower. */
function storedNames(name: string): string[] {
  const folder = fileURLToPath(new URL(`../../test/fixtures/${name}/`, import.meta.url));
  const files = readdirSync(folder).filter((file) =>
    /^(?:model|pytorch_model)\b.*\.(?:safetensors|bin)$/.test(file),
  );
  return files.flatMap((file) => {
    using source = openWeights(folder + file);
    return [...source.names()].filter((name) => !BESIDE_TOWERS.some((pattern) => pattern.test(name)));
  });
}

/** What each fixture was written in, by the code that the layout is of. */
const FIXTURES: readonly (readonly [folder: string, layout: keyof typeof layouts])[] = [
  ["llava/llama", "huggingFace5"],
  ["llava/llama-gqa-full", "huggingFace5"],
  ["llava/qwen2", "huggingFace5"],
  ["llava/legacy-4x", "huggingFace"],
  ["llava/multi-layer", "huggingFace452"],
  ["llava/original", "original"],
  ["llava/original/clip-vit-tiny-patch14-28", "visionTower"],
];

/** With the numbers of layers changed. */
const renumbered = (name: string, layer: number): string =>
  name.replace(/(?<=layers\.)\d+(?=\.)/, String(layer)).replace(/(?<=linear_)\d+/, String(layer + 1));

describe("a layout's names", () => {
  const stored = FIXTURES.map(([folder, layout]) => ({ folder, layout, names: storedNames(folder) }));
  const canonical = [...new Set(stored.flatMap(({ names }) => names.map(canonicalName)))];

  for (const { folder, layout, names } of stored)
    test(`${layout} has all of ${folder}, and each of them is read and written again`, () => {
      assert.ok(names.length > 10);
      for (const name of names) assert.equal(layouts[layout].write(layouts[layout].read(name)!), name);
    });

  const property = (holds: (layout: Naming, name: string) => void) =>
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(layouts)),
        fc.constantFrom(...canonical),
        fc.nat({ max: 4000 }),
        (layout, name, layer) => holds(layout, renumbered(name, layer)),
      ),
      { numRuns: 2000, seed: 11 },
    );

  test("lead to a canonical one and back, and from it", () => {
    property((layout, name) => {
      const written = layout.write(name);
      if (written === undefined) return;
      assert.equal(layout.read(written), name);
      assert.equal(layout.write(layout.read(written)!), written);
    });
  });

  test("are read as the same by every layout that has them", () => {
    property((layout, name) => {
      const written = layout.write(name);
      if (written === undefined) return;
      for (const other of Object.values(layouts))
        assert.ok([name, undefined].includes(other.read(written)), written);
      assert.equal(canonicalName(written), name);
    });
  });

  test("are there for every tensor of a whole model, but for a projector of more layers than the layout has", () => {
    for (const layout of ["original", "huggingFace", "huggingFace452", "huggingFace5"] as const)
      for (const name of canonical)
        assert.notEqual(layouts[layout].write(name), undefined, `${layout} ${name}`);
    assert.equal(layouts.originalLinear.write("model.multi_modal_projector.linear_2.bias"), undefined);
  });

  test("that no rule fits are none of the layout's", () => {
    const table = naming([
      "a.#.",
      "b.#.",
      { number: { read: (n) => (n > 1 ? n - 1 : undefined), write: (n) => n + 1 } },
    ]);
    assert.deepEqual([table.read("a.2.x"), table.write("b.1.x")], ["b.1.x", "a.2.x"]);
    for (const name of ["a.1.x", "a.02.x", "a.x", "c.2.x"]) assert.equal(table.read(name), undefined, name);
  });
});

test("recomputed buffers are recognised", () => {
  const recomputed = (name: string) => RECOMPUTED_TENSORS.some((pattern) => pattern.test(name));
  assert.ok(recomputed("model.layers.0.self_attn.rotary_emb.inv_freq"));
  assert.ok(recomputed("vision_tower.vision_model.embeddings.position_ids"));
  assert.ok(!recomputed("model.vision_tower.embeddings.position_embedding.weight"));
});
