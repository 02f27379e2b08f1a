import type { JsonObject } from "../../files/index.ts";

const small = { model_type: "llama", rms_norm_eps: 1e-5 };
const large = {
  ...small,
  hidden_size: 5120,
  intermediate_size: 13_824,
  num_hidden_layers: 40,
  num_attention_heads: 40,
};

const qwen = {
  model_type: "qwen2",
  hidden_size: 8192,
  num_hidden_layers: 80,
  num_attention_heads: 64,
  vocab_size: 152_064,
  max_position_embeddings: 32_768,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
};

/** What config.json of language models that recipes name says, by hub name. */
export const PUBLISHED_LLAMAS: Readonly<Record<string, JsonObject>> = {
  "lmsys/vicuna-7b-v1.3": { ...small, max_position_embeddings: 2048 },
  "lmsys/vicuna-13b-v1.3": { ...large, max_position_embeddings: 2048 },
  "lmsys/vicuna-7b-v1.5": { ...small, max_position_embeddings: 4096 },
  "lmsys/vicuna-13b-v1.5": { ...large, max_position_embeddings: 4096 },
  "mistralai/Mistral-7B-Instruct-v0.2": {
    ...small,
    model_type: "mistral",
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    max_position_embeddings: 32_768,
    rope_theta: 1e6,
    sliding_window: null,
  },
  "NousResearch/Nous-Hermes-2-Yi-34B": {
    ...small,
    hidden_size: 7168,
    intermediate_size: 20_480,
    num_hidden_layers: 60,
    num_attention_heads: 56,
    num_key_value_heads: 8,
    vocab_size: 64_000,
    max_position_embeddings: 4096,
    rope_theta: 5e6,
  },
  "meta-llama/Meta-Llama-3-8B-Instruct": {
    ...small,
    intermediate_size: 14_336,
    num_key_value_heads: 8,
    vocab_size: 128_256,
    max_position_embeddings: 8192,
    rope_theta: 5e5,
  },
  "Qwen/Qwen1.5-72B-Chat": { ...qwen, intermediate_size: 24_576, num_key_value_heads: 64 },
  "Qwen/Qwen1.5-110B-Chat": { ...qwen, intermediate_size: 49_152, num_key_value_heads: 8 },
};
