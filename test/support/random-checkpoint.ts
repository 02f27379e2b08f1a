import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { layouts, writeSafetensors } from "../../src/checkpoint/index.ts";
import type { JsonObject } from "../../src/files/index.ts";
import { createLlava, type Llava, parseLlavaConfig } from "../../src/models/index.ts";
import { type DType, Generator, randn, scope } from "../../src/torch/index.ts";

const fixtures = fileURLToPath(new URL("../fixtures/llava/", import.meta.url));

export interface RandomCheckpoint {
  /** Over those of a small LLaVA. */
  readonly text?: JsonObject;
  readonly vision?: JsonObject;
  readonly model?: JsonObject;
  readonly dtype?: DType;
  /** Folder with the tokenizer's files; that of a fixture by default. */
  readonly tokenizer?: string;
}

const TEXT = {
  model_type: "llama",
  vocab_size: 280,
  hidden_size: 64,
  intermediate_size: 160,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 2048,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: false,
};
const VISION = {
  model_type: "clip_vision_model",
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 4,
  num_attention_heads: 4,
  image_size: 56,
  patch_size: 14,
};

/** A LLaVA in Hugging Face's layout with random weights, in a new folder. */
export function writeRandomCheckpoint(
  folder: string,
  seed: number,
  { text, vision, model, dtype = "float32", tokenizer = join(fixtures, "llama") }: RandomCheckpoint = {},
): string {
  mkdirSync(folder, { recursive: true });
  const config = {
    model_type: "llava",
    image_token_index: 276,
    vision_feature_layer: -2,
    vision_feature_select_strategy: "default",
    tie_word_embeddings: false,
    ...model,
    text_config: { ...TEXT, ...text },
    vision_config: { ...VISION, ...vision },
  };
  writeFileSync(join(folder, "config.json"), JSON.stringify(config));
  for (const name of [
    "tokenizer.json",
    "tokenizer_config.json",
    "generation_config.json",
    "chat_template.jinja",
  ])
    cpSync(join(tokenizer, name), join(folder, name));
  const size = { height: config.vision_config.image_size, width: config.vision_config.image_size };
  writeFileSync(
    join(folder, "preprocessor_config.json"),
    JSON.stringify({
      image_processor_type: "LlavaImageProcessor",
      do_pad: true,
      size: { shortest_edge: size.height },
      crop_size: size,
    }),
  );
  using llava = drawn(createLlava(parseLlavaConfig(config, "config.json")), seed, dtype);
  const tensors = new Map(
    Array.from(llava.namedParameters(), ([name, tensor]) => {
      const canonical = llava.paths.read(name)!;
      return [layouts.huggingFace.write(canonical) ?? canonical, tensor];
    }),
  );
  writeSafetensors(join(folder, "model.safetensors"), tensors);
  return folder;
}

/** Matrices that make what goes through them a little larger, so that each layer counts, and scores stay of a usual size. */
function drawn(llava: Llava, seed: number, dtype: DType): Llava {
  using generator = new Generator(seed);
  scope(() => {
    for (const [name, { shape, elements }] of llava.namedParameters()) {
      const values = randn(shape, generator);
      const width = elements / shape[0]!;
      const scaled = shape.length > 1 ? values.mul(1.6 / Math.sqrt(width)) : values.mul(0.2);
      llava.setParameter(name, (/norm\w*\.weight$/.test(name) ? scaled.add(1) : scaled).to(dtype));
    }
  });
  return llava;
}
