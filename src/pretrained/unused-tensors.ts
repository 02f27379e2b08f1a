import { CLIP_TEXT_TENSORS, RECOMPUTED_TENSORS, unusedVisionTensors } from "../checkpoint/index.ts";
import { ClipVisionTower, Llama, Llava } from "../models/index.ts";
import type { Module } from "../nn/index.ts";

/**
 * What files about a model may hold and the model has no place for, by names in its module (`moduleName`): the one list
 * for base weights, low-rank adapters and modules trained as a whole. A tower is built only up to the deepest layer whose
 * features are used, while others train and store all of it;
 * tied output weights are the embedding's.
 */
export function unusedTensors(model: Module): readonly RegExp[] {
  const languageModel = model instanceof Llava ? model.languageModel : model;
  const isTied = languageModel instanceof Llama && languageModel.lmHead === undefined;
  const tower = model instanceof Llava ? model.visionTower : undefined;
  return [
    ...RECOMPUTED_TENSORS,
    ...CLIP_TEXT_TENSORS,
    ...(isTied ? [/^(?:language_model\.)?lm_head\.weight$/] : []),
    ...(tower instanceof ClipVisionTower
      ? unusedVisionTensors(tower.encoder.layers.length).map(
          ({ source }) => new RegExp(source.replace("^model\\.", "^")),
        )
      : []),
  ];
}
