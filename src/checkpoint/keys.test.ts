import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  canonicalName,
  huggingFaceName,
  originalName,
  RECOMPUTED_TENSORS,
  unusedVisionTensors,
} from "./keys.ts";

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
      for (const name of [canonical, ...spellings, huggingFaceName(canonical), originalName(canonical)]) {
        assert.equal(canonicalName(name), canonical, name);
      }
    });
  }

  test("has the original code's name written, which counts a projector's layers by twos, one layer not at all", () => {
    const layer = (n: number) => `model.multi_modal_projector.linear_${n}.bias`;
    assert.equal(originalName(layer(2)), "model.mm_projector.2.bias");
    assert.equal(originalName(layer(1), { isLinear: true }), "model.mm_projector.bias");
    assert.equal(
      originalName("model.vision_tower.pre_layrnorm.weight"),
      "model.vision_tower.vision_tower.vision_model.pre_layrnorm.weight",
    );
  });

  test("leaves unknown names alone", () => {
    for (const name of ["text_model.encoder.layers.0.mlp.fc1.bias", "optimizer.step", "logit_scale"]) {
      assert.equal(canonicalName(name), name);
    }
  });
});

test("vision layers above the ones in use are unused, and only those", () => {
  const unused = (name: string) => unusedVisionTensors(2).some((pattern) => pattern.test(name));
  assert.ok(!unused("model.vision_tower.encoder.layers.1.mlp.fc1.bias"));
  assert.ok(unused("model.vision_tower.encoder.layers.2.mlp.fc1.bias"));
  assert.ok(unused("model.vision_tower.encoder.layers.10.mlp.fc1.bias"));
  assert.ok(unused("model.vision_tower.post_layernorm.bias"));
  assert.ok(!unused("model.language_model.layers.10.mlp.up_proj.weight"));
});

test("recomputed buffers are recognised", () => {
  const recomputed = (name: string) => RECOMPUTED_TENSORS.some((pattern) => pattern.test(name));
  assert.ok(recomputed("model.layers.0.self_attn.rotary_emb.inv_freq"));
  assert.ok(recomputed("vision_tower.vision_model.embeddings.position_ids"));
  assert.ok(!recomputed("model.vision_tower.embeddings.position_embedding.weight"));
});
