import type { JsonObject } from "../../files/index.ts";

const small = { model_type: "llama", rms_norm_eps: 1e-5 };
const large = {
  ...small,
  hidden_size: 5120,
  intermediate_size: 13_824,
  num_hidden_layers: 40,
  num_attention_heads: 40,
};

/** What config.json of language models that recipes name says, by hub name. */
export const PUBLISHED_LLAMAS: Readonly<Record<string, JsonObject>> = {
  "lmsys/vicuna-7b-v1.3": { ...small, max_position_embeddings: 2048 },
  "lmsys/vicuna-13b-v1.3": { ...large, max_position_embeddings: 2048 },
  "lmsys/vicuna-7b-v1.5": { ...small, max_position_embeddings: 4096 },
  "lmsys/vicuna-13b-v1.5": { ...large, max_position_embeddings: 4096 },
};
