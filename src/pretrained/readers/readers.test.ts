import assert from "node:assert/strict";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite, test } from "node:test";
import { goodModel } from "../../../test/support/refusals.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { writeSafetensors } from "../../checkpoint/index.ts";
import { scope, zeros } from "../../torch/index.ts";
import { checkReaders, type ReaderName } from "./index.ts";
import { sglang } from "./sglang.ts";
import { vllm } from "./vllm.ts";

const folder = temporaryFolder("llava-readers");

interface Written {
  readonly config: Record<string, unknown>;
  readonly tensors: readonly string[];
  readonly files: Readonly<Record<string, object>>;
}

/** As published repositories of the four kinds are: names, fields and files, with tensors of one element. */
const tokenizer = { added_tokens: [{ content: "<image>", id: 32000 }] };
const nestedFiles = {
  "processor_config.json": { image_token: "<image>", patch_size: 14 },
  "preprocessor_config.json": {},
  "tokenizer.json": tokenizer,
  "tokenizer_config.json": {},
};
const nested: Written = {
  config: {
    architectures: ["LlavaNextForConditionalGeneration"],
    model_type: "llava_next",
    image_token_index: 32000,
    vision_feature_select_strategy: "default",
    text_config: { model_type: "llama", hidden_size: 4096, num_attention_heads: 32 },
    vision_config: { model_type: "clip_vision_model" },
  },
  tensors: [
    "language_model.model.layers.0.self_attn.q_proj.weight",
    "language_model.lm_head.weight",
    "vision_tower.vision_model.embeddings.class_embedding",
    "multi_modal_projector.linear_1.weight",
    "image_newline",
  ],
  files: nestedFiles,
};
const nestedSince452: Written = {
  ...nested,
  tensors: [
    "model.language_model.layers.0.self_attn.q_proj.weight",
    "lm_head.weight",
    "model.vision_tower.vision_model.embeddings.class_embedding",
    "model.multi_modal_projector.linear_1.weight",
    "model.image_newline",
  ],
};
const flat: Written = {
  config: {
    architectures: ["LlavaLlamaForCausalLM"],
    model_type: "llava",
    hidden_size: 4096,
    mm_hidden_size: 1024,
    mm_vision_tower: "openai/clip-vit-large-patch14-336",
    mm_vision_select_layer: -2,
    mm_vision_select_feature: "patch",
    mm_patch_merge_type: "spatial_unpad",
    image_aspect_ratio: "anyres",
    image_grid_pinpoints: [[336, 672]],
  },
  tensors: [
    "model.layers.0.self_attn.q_proj.weight",
    "model.embed_tokens.weight",
    "model.norm.weight",
    "lm_head.weight",
    "model.mm_projector.0.weight",
    "model.mm_projector.2.bias",
    "model.vision_tower.vision_tower.vision_model.embeddings.class_embedding",
    "model.image_newline",
  ],
  files: { "preprocessor_config.json": {}, "tokenizer_config.json": {} },
};
const flatVideo: Written = {
  ...flat,
  config: { ...flat.config, architectures: ["LlavaVidForCausalLM"] },
  tensors: [...flat.tensors, "model.vision_resampler.mm_projector.0.weight"],
};
/** What SGLang's own class for Hugging Face's layout reads. */
const nestedForSglang: Written = {
  config: {
    ...nested.config,
    architectures: ["LlavaForConditionalGeneration"],
    model_type: "llava",
    vision_feature_select_strategy: "patch",
  },
  tensors: nested.tensors.slice(0, -1),
  files: nestedFiles,
};

function findings(reader: ReaderName, { config, tensors, files }: Written): string[] {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const all = { ...files, "config.json": config };
  for (const [name, json] of Object.entries(all)) writeFileSync(join(folder, name), JSON.stringify(json));
  scope(() =>
    writeSafetensors(join(folder, "model.safetensors"), new Map(tensors.map((name) => [name, zeros([1])]))),
  );
  const [verdict] = checkReaders(folder, [reader]);
  const refusing = verdict!.findings.filter(({ severity }) => severity === "refused");
  assert.equal(verdict!.isServed, refusing.length === 0);
  return verdict!.findings.map(({ severity, rule }) => `${severity}: ${rule}`);
}

const without = ({ config, ...rest }: Written, ...names: string[]): Written => ({
  ...rest,
  config: Object.fromEntries(Object.entries(config).filter(([name]) => !names.includes(name))),
});
const having = ({ config, ...rest }: Written, fields: object): Written => ({
  ...rest,
  config: { ...config, ...fields },
});
const named = (written: Written, from: string, to: string): Written => ({
  ...written,
  tensors: written.tensors.map((name) => name.replace(from, to)),
});
const lacking = ({ files, ...rest }: Written, file: string): Written => ({
  ...rest,
  files: Object.fromEntries(Object.entries(files).filter(([name]) => name !== file)),
});

/** Each rule of a reader with what breaks it. */
const broken: Readonly<Record<ReaderName, Readonly<Record<string, readonly [Written, string][]>>>> = {
  vllm: {
    architecture: [[flat, "refused"]],
    "configurations of the parts": [[without(nested, "text_config"), "refused"]],
    "image token": [[without(nested, "image_token_index"), "refused"]],
    "features of the tower": [[having(nested, { vision_feature_select_strategy: "patch" }), "refused"]],
    "tensor names": [
      [named(nested, "vision_tower.vision_model.", "vision_tower."), "refused"],
      [{ ...nested, tensors: [...nested.tensors, "model.mm_projector.0.weight"] }, "refused"],
    ],
    processor: [
      [lacking(nested, "processor_config.json"), "refused"],
      [lacking(nested, "preprocessor_config.json"), "refused"],
    ],
    "image token of the tokenizer": [
      [having(nested, { image_token_index: 7 }), "refused"],
      [lacking(nested, "tokenizer.json"), "warning"],
    ],
    "size of heads": [
      [
        having(nested, { text_config: { model_type: "llama", hidden_size: 32, num_attention_heads: 2 } }),
        "warning",
      ],
    ],
  },
  sglang: {
    architecture: [[nested, "refused"]],
    "model type": [[having(flat, { model_type: "llava_llama" }), "warning"]],
    "fields of the tower": [
      [without(flat, "mm_hidden_size"), "refused"],
      [without(flat, "mm_vision_select_layer"), "refused"],
    ],
    "name of the tower": [[having(flat, { mm_vision_tower: "google/vit" }), "refused"]],
    "place of the tower": [
      [
        {
          ...having(flat, { mm_vision_tower: "clip.json" }),
          files: { ...flat.files, "clip.json": {} },
        },
        "warning",
      ],
    ],
    "features of the tower": [
      [having(flat, { mm_vision_select_feature: "cls" }), "refused"],
      [having(nestedForSglang, { vision_feature_select_strategy: "default" }), "refused"],
    ],
    "way of images": [
      [having(flat, { image_aspect_ratio: "stretch" }), "warning"],
      [without(flat, "image_grid_pinpoints"), "refused"],
    ],
    newline: [
      [{ ...flat, tensors: flat.tensors.slice(0, -1) }, "refused"],
      [having(flat, { mm_patch_merge_type: "flat" }), "refused"],
    ],
    "tensor names": [
      [named(flat, "mm_projector.2", "mm_projector.readout"), "refused"],
      [named(flat, "model.vision_tower.vision_tower.", "model.vision_tower."), "refused"],
      [named(nestedForSglang, "multi_modal_projector.", "model.multi_modal_projector."), "refused"],
      [{ ...flatVideo, tensors: [...flatVideo.tensors, "model.vision_resampler.pooling.weight"] }, "warning"],
    ],
    processor: [[lacking(flat, "preprocessor_config.json"), "warning"]],
  },
};

suite("other programs' rules", () => {
  test("published layouts are served by whom they are for", () => {
    assert.deepEqual(findings("vllm", nested), []);
    assert.deepEqual(findings("vllm", nestedSince452), []);
    assert.deepEqual(findings("sglang", flat), []);
    assert.deepEqual(findings("sglang", flatVideo), []);
    assert.deepEqual(findings("sglang", nestedForSglang), []);
  });

  for (const [name, reader] of Object.entries({ vllm, sglang }))
    test(`every rule of ${reader.name} finds what breaks it, and that alone`, () => {
      const cases = broken[name as ReaderName];
      assert.deepEqual(new Set(Object.keys(cases)), new Set(reader.rules.map((rule) => rule.name)));
      for (const [rule, examples] of Object.entries(cases))
        for (const [written, severity] of examples)
          assert.deepEqual(findings(name as ReaderName, written), [`${severity}: ${rule}`], rule);
    });

  test("transformers 5 keeps the image processor in another file, and its own names of towers are told", () => {
    const { "preprocessor_config.json": _, ...files } = nestedFiles;
    const inside = { ...files, "processor_config.json": { image_token: "<image>", image_processor: {} } };
    assert.deepEqual(findings("vllm", { ...nested, files: inside }), []);
    const [own] = checkReaders(goodModel, ["vllm"]);
    assert.match(own!.findings[0]!.message, /have vision_model\. inside/);
  });
});
