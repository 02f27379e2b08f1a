/**
 * What becomes of the fields of a `config.json`: read, refused where they change results and are not followed, known to
 * change nothing here, or unknown.
 */
import { LlavaError } from "../errors.ts";
import type { JsonObject } from "../files/index.ts";

/** Fields that change results, with the values under which they do not; null and absent are such values, too. */
type Neutral = Readonly<Record<string, readonly unknown[]>>;

/** Of any part: weights in another form, or heads taken out. */
const ANY_NEUTRAL: Neutral = {
  quantization_config: [],
  compression_config: [],
  pruned_heads: ["{}", "[]"],
};

/** Of decoders akin to Llama whose files may call themselves so. */
export const TEXT_NEUTRAL: Neutral = {
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

export const VISION_NEUTRAL: Neutral = { ...ANY_NEUTRAL, vision_use_head: [false], use_rope: [false] };

/** Of LLaVA in the original layout. */
export const ORIGINAL_NEUTRAL: Neutral = {
  s2: [false],
  mm_use_s2: [false],
  mm_resampler_type: [],
  mm_patch_merge_type: ["flat"],
  use_mm_proj: [true],
  mm_use_x_start_end: [false],
  mm_vision_num_query_token: [],
  mm_compressor: [],
  mm_vision_tower_aux: [],
  mm_vision_tower_aux_list: ["[]"],
};

/** Of LLaVA in Hugging Face's. */
export const HUGGING_FACE_NEUTRAL: Neutral = {
  ...ANY_NEUTRAL,
  use_image_newline_parameter: [false],
  spatial_merge_size: [1],
  projector_layernorm_eps: [],
  vision_feature_layers: [],
  image_grid_pinpoints: ["[]"],
};

/**
 * Fields that change nothing that is computed here. Of the original code: how it was trained, video and tiles (which are
 * refused by other fields), where the padding is, and `<im_patch>`, which is only a word of the vocabulary. Of
 * transformers: how weights were drawn, dropout, tensor parallelism, caches, ends of sequences (which
 * `generation_config.json` and the tokenizer say), and what its base class writes for every model.
 */
const HARMLESS: readonly RegExp[] = [
  /^_/,
  /^(?:architectures|model_type|auto_map|dtype|torch_dtype|transformers_version|transformers\.js_config)$/,
  /^(?:tune|freeze|unfreeze|pretrain)_/,
  /_lr$|_dropout$|_pdrop$|^dropout$|^initializer_|^projection_dim$|^logit_scale_init_value$/,
  /^(?:bos|eos|pad|sep|unk|cls|decoder_start|forced_bos|forced_eos|im_start|im_end|im_patch)_token(?:_id)?$/,
  /^mm_(?:use_im_patch_token|hidden_size|tunable_parts|spatial_pool_\w+|newline_position|vision_tower_lr|projector_lr)$/,
  /^(?:image_grid_pinpoints|image_crop_resolution|image_split_resolution|s2_scales|vision_tower_pretrained)$/,
  /^(?:tokenizer_model_max_length|tokenizer_padding_side|tokenizer_class|max_sequence_length|max_length|min_length)$/,
  /^(?:use_pos_skipping|pos_skipping_range|add_faster_video|add_time_instruction|faster_token_stride|force_sample)$/,
  /^(?:image_seq_length|image_token_id|image_token_index|ignore_index|vision_soft_tokens_per_image)$/,
  /^(?:pretraining_tp|use_cache|use_bfloat16|attn_implementation|gradient_checkpointing|ep_size|max_window_layers|layer_types)$/,
  /^(?:add_cross_attention|bad_words_ids|begin_suppress_tokens|chunk_size_feed_forward|cross_attention_hidden_size)$/,
  /^(?:diversity_penalty|do_sample|early_stopping|encoder_no_repeat_ngram_size|exponential_decay_length_penalty)$/,
  /^(?:finetuning_task|id2label|label2id|is_decoder|is_encoder_decoder|length_penalty|no_repeat_ngram_size)$/,
  /^(?:num_beam_groups|num_beams|num_return_sequences|output_\w+|prefix|problem_type|remove_invalid_values)$/,
  /^(?:repetition_penalty|return_dict|return_dict_in_generate|suppress_tokens|task_specific_params|temperature)$/,
  /^(?:tf_legacy_loss|tie_encoder_decoder|top_k|top_p|torchscript|typical_p|num_labels|name_or_path|vocab_size)$/,
  /^(?:text_config_dict|vision_config_dict|text_config|vision_config|unsloth_\w+)$/,
];

/**
 * @param read names of fields that are followed
 * @throws LlavaError "config" for a field that changes results and is not followed
 * @returns the fields that nothing is known of
 */
export function coverFields(
  json: JsonObject,
  { read, neutral, where }: { read: readonly string[]; neutral: Neutral; where: string },
): string[] {
  return Object.entries(json).flatMap(([field, value]) => {
    if (value === null || value === undefined || read.includes(field)) return [];
    if (!Object.hasOwn(neutral, field)) return HARMLESS.some((pattern) => pattern.test(field)) ? [] : [field];
    const allowed = neutral[field]!;
    if (allowed.includes(typeof value === "object" ? JSON.stringify(value) : value)) return [];
    const shown = JSON.stringify(value);
    throw new LlavaError(
      "config",
      `${where}: ${field} is ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}, which changes results and is not supported`,
      {
        hint: field.startsWith("quantization")
          ? "Give the checkpoint with whole weights, as it was before it was quantised."
          : "Use a checkpoint without it.",
      },
    );
  });
}
