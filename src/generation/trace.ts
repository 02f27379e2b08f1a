import type { Llava } from "../models/index.ts";
import { longTensor, type Tensor } from "../torch/index.ts";
import type { PromptInputs } from "./prompt.ts";

/**
 * One forward pass over a whole prompt, stage by stage: `pixel_values` [N, 3, H, W], `vision_features` [N, tokens, C] and
 * `projected_features` [N, tokens, D] of the images' N tiles if there are images, `input_ids` [1, T], `inputs_embeds` [1, T, D], `logits` [1, T, V].
 */
export function traceStages(
  model: Llava,
  { inputIds, pixelValues, layouts, ropeFactor }: PromptInputs,
): Map<string, Tensor> {
  const stages = new Map<string, Tensor>();
  const ids = longTensor(inputIds, [1, inputIds.length]).toDevice(model.languageModel.device);
  const features = pixelValues && model.encodeImages(pixelValues);
  if (features !== undefined)
    stages
      .set("pixel_values", pixelValues!)
      .set("vision_features", features)
      .set("projected_features", model.project(features));
  const embeddings = model.embed(ids, features && { features, ...(layouts && { layouts }) });
  const logits = model.languageModel.logits(model.languageModel.forward(embeddings, { ropeFactor }));
  return stages.set("input_ids", ids).set("inputs_embeds", embeddings).set("logits", logits);
}
