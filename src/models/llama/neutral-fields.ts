import { ANY_NEUTRAL, type Neutral } from "../config-coverage.ts";

/** Of decoders akin to Llama whose files may call themselves so. */
export const LLAMA_NEUTRAL: Neutral = {
  ...ANY_NEUTRAL,
  partial_rotary_factor: [1],
  rotary_pct: [1],
  rope_interleaved: [false],
  rope_ratio: [1],
  alibi: [false],
  use_alibi: [false],
  logit_scale: [1],
  logits_scaling: [1],
  logits_scale: [1],
  output_multiplier_scale: [1],
  embedding_multiplier: [1],
  embedding_scale: [1],
  residual_multiplier: [1],
  attention_multiplier: [],
  scale_emb: [1],
  scale_depth: [1],
  mup_width_scale: [1],
  final_logit_softcapping: [],
  attn_logit_softcapping: [],
  query_pre_attn_scalar: [],
  clip_qkv: [],
  qk_norm: [false],
  use_qk_norm: [false],
  qk_layernorm: [false],
  parallel_attn: [false],
  use_parallel_residual: [false],
  attention_sinks: [false],
  attention_chunk_size: [],
  num_experts: [0, 1],
  num_local_experts: [0, 1],
  moe_intermediate_size: [0],
  no_rope_layers: ["[]"],
  tie_lm_head_bias: [false],
  lm_head_bias: [false],
};

/** Of `rope_scaling` and `rope_parameters`. */
export const ROPE_NEUTRAL: Neutral = { partial_rotary_factor: [1], mrope_section: [] };
