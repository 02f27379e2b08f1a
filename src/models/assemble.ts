import { join } from "node:path";
import {
  type LlavaConfig,
  merged,
  openCheckpoint,
  originalModelType,
  parseLlavaConfig,
  parseVisionConfig,
  readJsonObject,
} from "../checkpoint/index.ts";
import type { LoadOptions, PretrainedLlava } from "./pretrained.ts";
import { loadFolders } from "./pretrained.ts";

/** What a language model is given to see with, in the terms of the original LLaVA's config.json. */
export interface Eyes {
  /** Folder of a CLIP model. */
  readonly visionTower: string;
  /** "linear" or "mlpNx_gelu". */
  readonly projectorType: string;
  /** Which of the tower's hidden states are the features; negative from the end. */
  readonly featureLayer: number;
  /** "pad": images are padded to squares first; "square": resized and cropped. */
  readonly imageAspectRatio: "pad" | "square";
}

/** The configuration of a language model, by its own config.json, with a vision tower and a projector around it. */
export function assembledConfig(
  languageModel: string | Readonly<Record<string, unknown>>,
  { visionTower, projectorType, featureLayer, imageAspectRatio }: Eyes,
  vision = parseVisionConfig(readJsonObject(join(visionTower, "config.json")), visionTower),
): LlavaConfig {
  const where = typeof languageModel === "string" ? join(languageModel, "config.json") : "the language model";
  const text = typeof languageModel === "string" ? readJsonObject(where) : languageModel;
  const json = {
    ...text,
    model_type: originalModelType(text["model_type"], where),
    mm_vision_tower: visionTower,
    mm_projector_type: projectorType,
    mm_vision_select_layer: featureLayer,
    mm_vision_select_feature: "patch",
    image_aspect_ratio: imageAspectRatio,
  };
  return parseLlavaConfig(json, where, vision);
}

/** Puts a language model and a vision tower together. The projector between them has no values yet. */
export function loadAssembled(
  languageModel: string,
  eyes: Eyes,
  options: LoadOptions = {},
): Promise<PretrainedLlava> {
  return loadFolders(
    {
      config: languageModel,
      files: languageModel,
      read: () => assembledConfig(languageModel, eyes),
      open: () => merged(openCheckpoint(languageModel), openCheckpoint(eyes.visionTower)),
      withoutProjector: true,
    },
    options,
  );
}
