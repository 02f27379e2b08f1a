import { join } from "node:path";
import { merged, openCheckpoint } from "../checkpoint/index.ts";
import { type JsonObject, readJsonObject, readJsonVerbatim } from "../files/index.ts";
import { ggufDialect, originalModelType, parseLlavaConfig, parseVisionConfig } from "../models/index.ts";
import { type LoadOptions, loadFolders, type PretrainedLlava } from "./pretrained.ts";
import type { ModelOrigin } from "./save.ts";

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

const architectures: Readonly<Record<string, string>> = {
  llava_llama: "LlavaLlamaForCausalLM",
  llava_mistral: "LlavaMistralForCausalLM",
  llava_qwen: "LlavaQwenForCausalLM",
};

/** config.json in the original layout for a language model, whose own is `text`, that sees. */
export function assembledJson(text: JsonObject, eyes: Eyes, where: string): JsonObject {
  const type = originalModelType(text["model_type"], where);
  return {
    ...text,
    architectures: [architectures[type]],
    model_type: type,
    mm_vision_tower: eyes.visionTower,
    mm_projector_type: eyes.projectorType,
    mm_vision_select_layer: eyes.featureLayer,
    mm_vision_select_feature: "patch",
    mm_use_im_start_end: false,
    mm_use_im_patch_token: false,
    use_mm_proj: true,
    image_aspect_ratio: eyes.imageAspectRatio,
  };
}

/** Puts a language model and a vision tower together. The projector between them has no values yet. */
export function loadAssembled(
  languageModel: string,
  eyes: Eyes,
  options: LoadOptions = {},
): Promise<PretrainedLlava> {
  const origin = assembledOrigin(languageModel, eyes);
  const where = join(languageModel, "config.json");
  const vision = join(eyes.visionTower, "config.json");
  return loadFolders(
    {
      config: languageModel,
      files: languageModel,
      read: () =>
        parseLlavaConfig(
          assembledJson(readJsonObject(where), eyes, where),
          where,
          parseVisionConfig(readJsonObject(vision), vision),
        ),
      open: origin.open,
      withoutProjector: true,
    },
    options,
  );
}

/** Where the parts of such a model come from. */
export function assembledOrigin(languageModel: string, eyes: Eyes): ModelOrigin {
  const where = join(languageModel, "config.json");
  return {
    files: languageModel,
    config: assembledJson(readJsonVerbatim(where), eyes, where),
    visionTower: eyes.visionTower,
    open: () => merged(openCheckpoint(languageModel, ggufDialect), openCheckpoint(eyes.visionTower)),
  };
}
