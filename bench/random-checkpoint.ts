import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeSafetensors } from "../src/checkpoint/index.ts";
import type { JsonObject } from "../src/files/index.ts";
import { createLlava, parseLlavaConfig } from "../src/models/index.ts";
import { Generator, randn, scope } from "../src/torch/index.ts";

/** Sizes of a LLaVA-1.5 in small: hidden, intermediate, layers and heads of its two transformers. */
export interface CheckpointSizes {
  readonly text: TransformerSizes;
  readonly vision: TransformerSizes & { readonly imageSize: number; readonly patchSize?: number };
}

interface TransformerSizes {
  readonly hidden: number;
  readonly intermediate: number;
  readonly layers: number;
  readonly heads: number;
}

/** Behind the 32,000 tokens of Llama 2, as in llava-hf's checkpoints. */
export const imageTokenId = 32_000;
const VOCABULARY = 32_064;
const PATCH = 14;

const transformer = ({ hidden, intermediate, layers, heads }: TransformerSizes) => ({
  hidden_size: hidden,
  intermediate_size: intermediate,
  num_hidden_layers: layers,
  num_attention_heads: heads,
});

/** Writes a checkpoint of random weights in Hugging Face's layout, with the tokenizer of a Llama 2 or Vicuna. */
export function writeRandomCheckpoint(folder: string, sizes: CheckpointSizes, tokenizer: string): void {
  mkdirSync(folder, { recursive: true });
  const { imageSize, patchSize = PATCH } = sizes.vision;
  const config = {
    architectures: ["LlavaForConditionalGeneration"],
    model_type: "llava",
    image_token_index: imageTokenId,
    image_seq_length: (imageSize / patchSize) ** 2,
    projector_hidden_act: "gelu",
    vision_feature_layer: -2,
    vision_feature_select_strategy: "default",
    tie_word_embeddings: false,
    text_config: {
      model_type: "llama",
      vocab_size: VOCABULARY,
      num_key_value_heads: sizes.text.heads,
      max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
      ...transformer(sizes.text),
    },
    vision_config: {
      model_type: "clip_vision_model",
      image_size: imageSize,
      patch_size: patchSize,
      projection_dim: sizes.vision.hidden,
      ...transformer(sizes.vision),
    },
  };
  copyFileSync(join(tokenizer, "tokenizer_config.json"), join(folder, "tokenizer_config.json"));
  writeFileSync(join(folder, "tokenizer.json"), withImageToken(join(tokenizer, "tokenizer.json")));
  writeRandomModel(folder, config);
}

/** Writes config.json in Hugging Face's layout, and random weights of a deviation for it. */
export function writeRandomModel(folder: string, config: JsonObject, deviation = 0.02): void {
  writeFileSync(join(folder, "config.json"), JSON.stringify(config, null, 2));
  using model = createLlava(parseLlavaConfig(config, "config.json"));
  using generator = new Generator(0);
  scope(() => {
    const tensors = [...model.namedParameters()].map(([name, { shape }]) => {
      const drawn = randn(shape, generator).mul(deviation);
      const value = /norm\w*\.weight$/.test(name) ? drawn.add(1) : drawn;
      return [name.replace(/^language_model\.lm_head|^/, (head) => storedPrefix(head)), value] as const;
    });
    writeSafetensors(join(folder, "model.safetensors"), new Map(tensors), { format: "pt" });
  });
}

const storedPrefix = (head: string): string => (head === "" ? "model." : "lm_head");

function withImageToken(path: string): string {
  const json = JSON.parse(readFileSync(path, "utf8")) as { added_tokens: object[] };
  const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
  return JSON.stringify({
    ...json,
    added_tokens: [...json.added_tokens, { id: imageTokenId, content: "<image>", ...flags }],
  });
}
