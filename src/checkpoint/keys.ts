/**
 * Checkpoints of one architecture come under several sets of tensor names. All are read as the module paths of
 * transformers 5: `model.language_model.*`, `model.vision_tower.*` (no `vision_model` inside),
 * `model.multi_modal_projector.linear_N.*`, `lm_head.*`.
 *
 * | part      | original LLaVA                            | files of transformers ≤ 4.51 and ≥ 5 | 4.52 to 4.57           |
 * |-----------|-------------------------------------------|--------------------------------------|------------------------|
 * | decoder   | model.layers.*                            | language_model.model.layers.*        | model.language_model.* |
 * | head      | lm_head.*                                 | language_model.lm_head.*             | lm_head.*              |
 * | projector | model.mm_projector.{0,2}.*                | multi_modal_projector.linear_{1,2}.* | model.…                |
 * | tower     | model.vision_tower.vision_tower.vision_model.* | vision_tower.(vision_model.)*   | model.…                |
 */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/^language_model\.lm_head\./, "lm_head."],
  [/^language_model\.model\./, "model.language_model."],
  [/^(?:model\.)?(?:vision_tower\.)+(?:vision_model\.)?/, "model.vision_tower."],
  [/^(?:vision_model\.)?(?=(?:embeddings|encoder|pre_layrnorm|post_layernorm)\.)/, "model.vision_tower."],
  [/^multi_modal_projector\./, "model.multi_modal_projector."],
  [/^image_newline$/, "model.image_newline"],
  [/^model\.(?=(?:embed_tokens|layers|norm)\.)/, "model.language_model."],
];

/** `mm_projector.{weight,bias}` is a single linear layer; in the sequential form layer k sits at index 2(k − 1). */
const ORIGINAL_PROJECTOR = /^(?:model\.)?mm_projector\.(?:(\d+)\.)?((?:lora_[AB]\.)?weight|bias)$/;

/** The canonical name of a tensor stored under any of the known conventions; other names come back unchanged. */
export function canonicalName(name: string): string {
  const projector = ORIGINAL_PROJECTOR.exec(name);
  if (projector) {
    const layer = Math.floor(Number(projector[1] ?? 0) / 2) + 1;
    return `model.multi_modal_projector.linear_${layer}.${projector[2]}`;
  }
  for (const [pattern, replacement] of RULES) {
    if (pattern.test(name)) return name.replace(pattern, replacement);
  }
  return name;
}

/** The name transformers itself writes for a canonical one; every version since LLaVA was added reads it. */
export function huggingFaceName(name: string): string {
  return name
    .replace(/^lm_head\./, "language_model.lm_head.")
    .replace(/^model\.language_model\./, "language_model.model.")
    .replace(/^model\.vision_tower\./, "vision_tower.vision_model.")
    .replace(/^model\.multi_modal_projector\./, "multi_modal_projector.")
    .replace(/^model\.image_newline$/, "image_newline");
}

/** The name in the original code's checkpoints for a canonical one; a projector of one layer has no number there. */
export function originalName(name: string, { isLinear = false } = {}): string {
  return name
    .replace(/^model\.language_model\./, "model.")
    .replace(/^model\.vision_tower\./, "model.vision_tower.vision_tower.vision_model.")
    .replace(
      /^model\.multi_modal_projector\.linear_(\d+)\./,
      (_, layer: string) => `model.mm_projector.${isLinear ? "" : `${2 * (Number(layer) - 1)}.`}`,
    );
}

/** Stored by some writers, recomputed by every reader: rotary frequencies and position numbers. */
export const RECOMPUTED_TENSORS: readonly RegExp[] = [/\.rotary_emb\.inv_freq$/, /\.position_ids$/];

/** What a whole CLIP model holds beside its vision transformer. */
export const CLIP_TEXT_TENSORS: readonly RegExp[] = [
  /^text_model\./,
  /^(?:text|visual)_projection\./,
  /^logit_scale$/,
];

/** Tower tensors that a model reading hidden states only up to block `numLayers` never uses (canonical names). */
export function unusedVisionTensors(numLayers: number): RegExp[] {
  const kept = Array.from({ length: numLayers }, (_, layer) => layer).join("|");
  return [
    /^model\.vision_tower\.post_layernorm\./,
    new RegExp(`^model\\.vision_tower\\.encoder\\.layers\\.(?!(?:${kept})\\.)`),
  ];
}
