import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { rowsOf } from "../../processing/image/index.ts";
import { contextLengthOf, parseTextConfig, parseVisionConfig } from "../families.ts";
import { ORIGINAL_IMAGE_TOKEN_ID, parseLlavaConfig, readLlavaConfig, unknownConfigFields } from "./config.ts";

const config = (message: RegExp) => ({ name: "LlavaError", code: "config", message });

/** What transformers 4.36 wrote for LLaVA 1.5 7B: only the fields that differ from its defaults. */
const SPARSE = {
  model_type: "llava",
  image_token_index: 32000,
  text_config: { model_type: "llama", max_position_embeddings: 4096, rms_norm_eps: 1e-5, vocab_size: 32064 },
  vision_config: {
    hidden_size: 1024,
    image_size: 336,
    intermediate_size: 4096,
    model_type: "clip_vision_model",
    num_attention_heads: 16,
    num_hidden_layers: 24,
    patch_size: 14,
  },
  vision_feature_layer: -2,
  vision_feature_select_strategy: "default",
};

const ORIGINAL = {
  model_type: "llava_llama",
  hidden_size: 4096,
  intermediate_size: 11008,
  num_attention_heads: 32,
  num_hidden_layers: 32,
  num_key_value_heads: 32,
  vocab_size: 32000,
  rms_norm_eps: 1e-5,
  rope_scaling: null,
  max_position_embeddings: 4096,
  mm_vision_tower: "openai/clip-vit-large-patch14-336",
  mm_hidden_size: 1024,
  mm_vision_select_layer: -2,
  mm_vision_select_feature: "patch",
  mm_projector_type: "mlp2x_gelu",
  image_aspect_ratio: "pad",
};

const LLAMA_7B = {
  family: "llama",
  vocabSize: 32064,
  hiddenSize: 4096,
  intermediateSize: 11008,
  numLayers: 32,
  numHeads: 32,
  numKeyValueHeads: 32,
  headDim: 128,
  hiddenAct: "silu",
  rmsNormEps: 1e-5,
  ropeTheta: 10000,
  maxPositionEmbeddings: 4096,
  tieWordEmbeddings: false,
  attentionBias: false,
  outputBias: false,
  mlpBias: false,
};

const CLIP_LARGE_336 = {
  family: "clip",
  hiddenSize: 1024,
  intermediateSize: 4096,
  numLayers: 24,
  numHeads: 16,
  imageSize: 336,
  patchSize: 14,
  numChannels: 3,
  layerNormEps: 1e-5,
  hiddenAct: "quick_gelu",
};

describe("Hugging Face layout", () => {
  test("absent fields take transformers' defaults", () => {
    assert.deepEqual(parseLlavaConfig(SPARSE, "config.json"), {
      text: LLAMA_7B,
      vision: CLIP_LARGE_336,
      projector: { type: "mlp", depth: 2, act: "gelu", bias: true },
      imageTokenId: 32000,
      featureLayers: [-2],
      selectStrategy: "patch",
      imageAspectRatio: "crop",
      grid: { rows: 24, columns: 24, extra: 0 },
      useImageStartEnd: false,
    });
    assert.deepEqual(parseLlavaConfig({ model_type: "llava" }, "").vision, CLIP_LARGE_336);
  });

  test("several feature layers, the class token, the newer id's name", () => {
    const parsed = parseLlavaConfig(
      {
        ...SPARSE,
        image_token_id: 7,
        vision_feature_layer: [-2, 6],
        vision_feature_select_strategy: "full",
        multimodal_projector_bias: false,
      },
      "",
    );
    assert.deepEqual([parsed.featureLayers, parsed.selectStrategy], [[-2, 6], "full"]);
    assert.deepEqual([parsed.imageTokenId, rowsOf(parsed.grid), parsed.projector.bias], [7, 577, false]);
  });

  test("LLaVA-OneVision", () => {
    const sides = [1, 2, 3, 4, 5, 6].map((tiles) => 384 * tiles);
    const ov = {
      model_type: "llava_onevision",
      text_config: { model_type: "qwen2", tie_word_embeddings: true },
      vision_config: { model_type: "siglip_vision_model", image_size: 384, patch_size: 14 },
    };
    const parsed = parseLlavaConfig(ov, "c.json");
    assert.deepEqual(
      [parsed.featureLayers, parsed.selectStrategy, parsed.imageTokenId],
      [[-1], "full", 151646],
    );
    assert.deepEqual(parsed.tiling, {
      resolutions: sides.flatMap((height) => sides.map((width) => ({ width, height }))),
      side: 384,
      merge: { order: "unpad", overview: true, mostTiles: 9, rounding: "round" },
      several: "padded",
    });
    const capped = parseLlavaConfig({ ...ov, vision_aspect_ratio: "anyres_max_4" }, "c.json");
    assert.equal(capped.tiling?.merge.mostTiles, 4);
    assert.throws(
      () => parseLlavaConfig({ ...ov, vision_aspect_ratio: "anyres" }, "c.json"),
      config(/c\.json: vision_aspect_ratio: expected anyres_max_N/),
    );
    assert.throws(
      () => parseLlavaConfig({ ...ov, text_config: {} }, "c.json"),
      config(/c\.json: text_config has no model_type/),
    );
  });

  test("tied embeddings are found at either level", () => {
    const tied = { ...SPARSE, text_config: { ...SPARSE.text_config, tie_word_embeddings: true } };
    assert.equal(parseLlavaConfig(tied, "").text.tieWordEmbeddings, true);
    assert.equal(parseLlavaConfig({ ...SPARSE, tie_word_embeddings: true }, "").text.tieWordEmbeddings, true);
  });

  test("a tower has only so many hidden states", () => {
    for (const layer of [25, -26]) {
      const wrong = { ...SPARSE, vision_feature_layer: [-2, layer] };
      assert.throws(
        () => parseLlavaConfig(wrong, "c.json"),
        config(/c\.json: vision_feature_layer is -?2\d; a tower of 24/),
      );
    }
  });

  test("what is unknown is refused with what is known", () => {
    assert.throws(
      () => parseLlavaConfig({ model_type: "paligemma" }, "c.json"),
      config(/c\.json: model_type "paligemma"; known are llava, llava_llama, llava_mistral, llava_qwen/),
    );
    assert.throws(
      () => parseLlavaConfig({ model_type: "constructor" }, "c.json"),
      config(/model_type "constructor"/),
    );
    const phi = { ...SPARSE, text_config: { model_type: "phi3" } };
    assert.throws(
      () => parseLlavaConfig(phi, "c.json"),
      config(
        /c\.json, text_config: language model type "phi3"; known are llama, mistral, qwen2, qwen3, gemma/,
      ),
    );
    const dino = { ...SPARSE, vision_config: { model_type: "dinov2" } };
    assert.throws(
      () => parseLlavaConfig(dino, "c.json"),
      config(/vision_config: vision model type "dinov2"/),
    );
    const siglip = { ...SPARSE, vision_config: { model_type: "siglip_vision_model" } };
    assert.throws(
      () => parseLlavaConfig(siglip, "c.json"),
      config(
        /vision_feature_select_strategy is "default", which leaves the class token out; .* siglip has none/,
      ),
    );
    assert.throws(
      () => parseLlavaConfig({ ...SPARSE, projector_hidden_act: "mish" }, "c.json"),
      config(/activation "mish"/),
    );
  });

  test("a field of another kind is named", () => {
    const wrong = {
      ...SPARSE,
      text_config: { ...SPARSE.text_config, hidden_size: "4096", rms_norm_eps: -1 },
    };
    assert.throws(() => parseLlavaConfig(wrong, "c.json"), config(/hidden_size: .*rms_norm_eps: /));
  });
});

test("a vision tower is read from its own file or a whole CLIP model's", () => {
  const whole = { model_type: "clip", vision_config: { patch_size: 16, hidden_act: "gelu" } };
  const expected = { patchSize: 16, imageSize: 224, hiddenAct: "gelu" };
  assert.partialDeepStrictEqual(parseVisionConfig(whole, ""), expected);
  assert.throws(
    () => parseVisionConfig({ hidden_size: 10, num_attention_heads: 3 }, "c"),
    config(/hidden_size 10/),
  );
});

describe("original layout", () => {
  test("LLaVA 1.5", () => {
    assert.deepEqual(parseLlavaConfig(ORIGINAL, "config.json"), {
      text: { ...LLAMA_7B, vocabSize: 32000 },
      vision: CLIP_LARGE_336,
      projector: { type: "mlp", depth: 2, act: "gelu", bias: true },
      imageTokenId: ORIGINAL_IMAGE_TOKEN_ID,
      featureLayers: [-2],
      selectStrategy: "patch",
      imageAspectRatio: "pad",
      grid: { rows: 24, columns: 24, extra: 0 },
      useImageStartEnd: false,
      visionTower: "openai/clip-vit-large-patch14-336",
    });
  });

  test("the decoder follows the model type, a tuned tower lies in the checkpoint", () => {
    const parse = (more: object) => parseLlavaConfig({ ...ORIGINAL, ...more }, "c.json");
    assert.partialDeepStrictEqual(parse({ model_type: "llava_qwen" }).text, { attentionBias: true });
    assert.equal(parse({ model_type: "llava_mistral", sliding_window: 9 }).text.slidingWindow, 9);
    assert.equal(parse({ model_type: "llava" }).text.hiddenSize, 4096);
    assert.equal(parse({ unfreeze_mm_vision_tower: true }).visionTower, undefined);
    assert.equal(parse({ mm_tunable_parts: "mm_mlp_adapter,mm_vision_tower" }).visionTower, undefined);
    assert.equal(parse({ image_aspect_ratio: undefined }).imageAspectRatio, "crop");
    assert.equal(rowsOf(parse({ mm_vision_select_feature: "cls_patch" }).grid), 577);
  });

  test("tiles are read in the order and with the rounding of the layout", () => {
    const tiled = {
      image_aspect_ratio: "anyres",
      image_grid_pinpoints: [[336, 672]],
      mm_patch_merge_type: "spatial_unpad",
    };
    const original = (fields: object) =>
      parseLlavaConfig({ ...ORIGINAL, ...tiled, ...fields }, "c.json").tiling;
    assert.deepEqual(original({}), {
      resolutions: [{ width: 336, height: 672 }],
      side: 336,
      merge: { order: "unpad", overview: true, rounding: "truncate" },
    });
    assert.deepEqual(original({ mm_patch_merge_type: "spatial_maxpool2x2_nobase" })?.merge, {
      order: "maxpool2x2",
      overview: false,
      rounding: "truncate",
    });
    assert.equal(original({ image_aspect_ratio: "anyres_max_9" })?.merge.mostTiles, 9);
    assert.equal(original({ mm_patch_merge_type: undefined })?.merge.order, "flat");
    for (const whole of ["pad", "square", undefined])
      assert.equal(original({ image_aspect_ratio: whole }), undefined);
    const huggingFace = parseLlavaConfig(
      { model_type: "llava_next", image_grid_pinpoints: [[336, 672]] },
      "c.json",
    );
    assert.deepEqual(huggingFace.tiling, {
      resolutions: [{ width: 672, height: 336 }],
      side: 336,
      merge: { order: "unpad", overview: true, rounding: "round" },
    });
    assert.equal(parseLlavaConfig({ model_type: "llava_next" }, "c.json").tiling?.resolutions.length, 5);
  });

  test("tiles that are not supported, or that the tower cannot see, are refused by their field", () => {
    const refused = (fields: object, what: RegExp) =>
      assert.throws(() => parseLlavaConfig({ ...ORIGINAL, ...fields }, "c.json"), config(what));
    refused({ image_aspect_ratio: "highres" }, /^c.json: image_aspect_ratio "highres" is not supported/);
    refused(
      { image_aspect_ratio: "anyres_max" },
      /^c.json: image_aspect_ratio "anyres_max" is not supported/,
    );
    refused({ mm_patch_merge_type: "unires" }, /^c.json: mm_patch_merge_type "unires" is not supported/);
    refused({ image_aspect_ratio: "anyres" }, /^c.json: .*image_grid_pinpoints is missing/);
    const tiled = { image_aspect_ratio: "anyres", image_grid_pinpoints: [[336, 300]] };
    refused(tiled, /^c.json: image_grid_pinpoints has 336×300/);
    refused(
      { ...tiled, image_grid_pinpoints: [[336, 336]], mm_vision_select_feature: "cls_patch" },
      /class token/,
    );
  });

  test("SigLIP's features are those of the layer that the original code takes, and all of its patches", () => {
    const siglip = { ...ORIGINAL, mm_vision_tower: "google/siglip-so400m-patch14-384", mm_hidden_size: 1152 };
    const { featureLayers, selectStrategy, grid, vision } = parseLlavaConfig(siglip, "c.json");
    assert.deepEqual(
      [featureLayers, selectStrategy, grid],
      [[-2], "full", { rows: 27, columns: 27, extra: 0 }],
    );
    assert.partialDeepStrictEqual(vision, { family: "siglip", numLayers: 27, layerNormEps: 1e-6 });
    assert.throws(
      () => parseLlavaConfig({ ...siglip, mm_vision_select_layer: -1 }, "c.json"),
      config(/mm_vision_select_layer is -1; the original code takes -2 of a tower of the kind siglip/),
    );
  });

  test("projectors", () => {
    const projector = (type?: string) =>
      parseLlavaConfig({ ...ORIGINAL, mm_projector_type: type }, "c.json").projector;
    assert.deepEqual([projector().type, projector().depth], ["linear", 1]);
    assert.deepEqual([projector("mlp4x_gelu").type, projector("mlp4x_gelu").depth], ["mlp", 4]);
    assert.equal(projector("identity").depth, 0);
    assert.throws(
      () => projector("mlp2x_res2x_gelu"),
      config(/mm_projector_type "mlp2x_res2x_gelu"; known are linear/),
    );
  });

  test("a tower in a folder describes itself; an unknown one is refused", () => {
    const folder = temporaryFolder("llava-config");
    const json = { ...ORIGINAL, mm_vision_tower: "tower", mm_hidden_size: 32 };
    const write = (path: string, value: object) => writeFileSync(join(folder, path), JSON.stringify(value));
    write("config.json", json);
    assert.throws(
      () => readLlavaConfig(folder),
      config(/mm_vision_tower tower is no folder here; known are openai/),
    );
    mkdirSync(join(folder, "tower"));
    write("tower/config.json", {
      model_type: "clip_vision_model",
      hidden_size: 32,
      num_attention_heads: 2,
      image_size: 64,
    });
    const read = readLlavaConfig(folder);
    assert.deepEqual([read.vision.hiddenSize, rowsOf(read.grid)], [32, 4]);
    assert.equal(read.visionTower, join(folder, "tower"));
    write("config.json", { ...json, mm_hidden_size: 64 });
    assert.throws(() => readLlavaConfig(folder), config(/mm_hidden_size 64; tower gives 32/));
  });

  test("a folder without config.json", () => {
    assert.throws(() => readLlavaConfig(join(tmpdir(), "no-such-folder")), {
      code: "checkpoint",
      message: /no-such-folder does not exist/,
    });
  });
});

describe("fields that are not followed", () => {
  const refusedValues: [
    part: "text" | "vision" | "original" | "huggingFace",
    field: string,
    value: unknown,
  ][] = [
    ["original", "s2", true],
    ["original", "mm_resampler_type", "perceiver"],
    ["original", "mm_patch_merge_type", "unknown"],
    ["original", "use_mm_proj", false],
    ["original", "quantization_config", { quant_method: "awq" }],
    ["original", "partial_rotary_factor", 0.5],
    ["text", "quantization_config", { load_in_4bit: true }],
    ["text", "logits_scaling", 8],
    ["text", "logit_scale", 0.0625],
    ["text", "final_logit_softcapping", 30],
    ["text", "partial_rotary_factor", 0.5],
    ["text", "rope_parameters", { rope_type: "default", rope_theta: 1e4, partial_rotary_factor: 0.5 }],
    ["text", "rope_scaling", { type: "linear", factor: 2, mrope_section: [1, 2] }],
    ["text", "qk_norm", true],
    ["text", "num_local_experts", 8],
    ["text", "pruned_heads", { "1": [0] }],
    ["vision", "quantization_config", { bits: 8 }],
    ["huggingFace", "use_image_newline_parameter", true],
    ["huggingFace", "quantization_config", { quant_method: "bitsandbytes" }],
  ];
  const parseWith = (part: string, field: string, value: unknown) => {
    const json = {
      text: { ...SPARSE, text_config: { ...SPARSE.text_config, [field]: value } },
      vision: { ...SPARSE, vision_config: { ...SPARSE.vision_config, [field]: value } },
      original: { ...ORIGINAL, [field]: value },
      huggingFace: { ...SPARSE, [field]: value },
    }[part]!;
    return parseLlavaConfig(json, "c.json");
  };
  for (const [part, field, value] of refusedValues)
    test(`${part}: ${field} is refused, but not null`, () => {
      const named = /rope_/.test(field) ? "rope scaling: (?:partial|mrope)" : field;
      assert.throws(
        () => parseWith(part, field, value),
        config(new RegExp(`${named}.*changes results|mm_patch_merge_type`)),
      );
      assert.ok(parseWith(part, field, null));
    });

  test("values that change nothing are let pass", () => {
    for (const [part, field, value] of [
      ["original", "s2", false],
      ["original", "s2_scales", "336,672"],
      ["original", "mm_patch_merge_type", "flat"],
      ["original", "image_grid_pinpoints", [[336, 672]]],
      ["original", "mm_use_im_patch_token", true],
      ["text", "logits_scaling", 1],
      ["text", "num_local_experts", 0],
      ["text", "pruned_heads", {}],
    ] as const)
      assert.ok(parseWith(part, field, value));
  });

  test("image tokens between marks are in the configuration", () => {
    assert.equal(parseLlavaConfig(ORIGINAL, "").useImageStartEnd, false);
    const marked = { ...ORIGINAL, mm_use_im_start_end: true, mm_use_im_patch_token: true };
    assert.equal(parseLlavaConfig(marked, "").useImageStartEnd, true);
  });

  test("what nothing is known of is listed, by its part", () => {
    assert.deepEqual(unknownConfigFields(SPARSE, "c.json"), []);
    assert.deepEqual(unknownConfigFields(ORIGINAL, "c.json"), []);
    const odd = {
      ...SPARSE,
      mm_new: 1,
      gone: null,
      text_config: { ...SPARSE.text_config, twist: 2 },
      vision_config: { ...SPARSE.vision_config, registers: 4 },
    };
    const expected = ["mm_new", "text_config.twist", "vision_config.registers"];
    assert.deepEqual(unknownConfigFields(odd, "c.json"), expected);
    assert.deepEqual(unknownConfigFields({ ...ORIGINAL, mm_new: 1 }, "c.json"), ["mm_new"]);
  });
});

test("the context of scaled rotary positions", () => {
  const contextOf = (json: object) => contextLengthOf(parseTextConfig({ model_type: "llama", ...json }, ""));
  const linear = (factor: number, more: object = {}) => ({
    rope_scaling: { type: "linear", factor, ...more },
  });
  assert.equal(contextOf({ max_position_embeddings: 4096 }), 4096);
  assert.equal(contextOf({ max_position_embeddings: 4096, ...linear(4) }), 16_384);
  assert.equal(contextOf({ max_position_embeddings: 4096, ...linear(2.5) }), 10_240);
  const original = { original_max_position_embeddings: 4096 };
  assert.equal(contextOf({ max_position_embeddings: 16_384, ...linear(4, original) }), 16_384);
  assert.equal(contextOf({ max_position_embeddings: 4096, ...linear(4, original) }), 16_384);
  const parameters = { rope_parameters: { rope_type: "linear", factor: 8, rope_theta: 1e4 } };
  assert.equal(contextOf({ max_position_embeddings: 2048, ...parameters }), 16_384);
  const llama3 = { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  const scaled = { rope_scaling: { ...llama3, original_max_position_embeddings: 8192 } };
  assert.equal(contextOf({ max_position_embeddings: 131_072, ...scaled }), 131_072);
});
