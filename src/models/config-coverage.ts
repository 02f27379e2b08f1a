/**
 * What becomes of the fields of a `config.json`: read, refused where they change results and are not followed, known to
 * change nothing here, or unknown.
 */
import { LlavaError } from "../errors.ts";
import type { JsonObject } from "../files/index.ts";

/** Fields that change results, with the values under which they do not; null and absent are such values, too. */
export type Neutral = Readonly<Record<string, readonly unknown[]>>;

/** What becomes of the fields of a part. */
export interface FieldCoverage {
  /** Those that are followed. */
  readonly read: readonly string[];
  readonly neutral: Neutral;
}

/** Of any part: weights in another form, or heads taken out. */
export const ANY_NEUTRAL: Neutral = {
  quantization_config: [],
  compression_config: [],
  pruned_heads: ["{}", "[]"],
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
  /^(?:image_seq_length|(?:image|video)_token_(?:id|index)|ignore_index|vision_soft_tokens_per_image)$/,
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
  { read, neutral, where }: FieldCoverage & { where: string },
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
