import { join } from "node:path";
import { merged, openCheckpoint } from "../checkpoint/index.ts";
import { type JsonObject, readJsonObject } from "../files/index.ts";
import { ggufDialect, originalOf, parseLlavaConfig, parseVisionConfig } from "../models/index.ts";
import { describeFolders } from "./load-folders.ts";
import { type DescribedModel, type LoadOptions, loaded, type PretrainedLlava } from "./pretrained.ts";

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

/** config.json in the original layout for a language model, whose own is `text`, that sees. */
export function assembledJson(text: JsonObject, eyes: Eyes, where: string): JsonObject {
  const { modelType, architecture } = originalOf(text["model_type"], where);
  return {
    ...text,
    architectures: [architecture],
    model_type: modelType,
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

/** A language model and a vision tower, to be put together. The projector between them has no values yet. */
export function describeAssembled(
  languageModel: string,
  eyes: Eyes,
  options: LoadOptions = {},
): Promise<DescribedModel> {
  const where = join(languageModel, "config.json");
  const vision = join(eyes.visionTower, "config.json");
  const adapt = (json: JsonObject): JsonObject => assembledJson(json, eyes, where);
  return describeFolders(
    {
      config: languageModel,
      files: languageModel,
      adapt,
      assembled: () => ({
        config: parseLlavaConfig(
          adapt(readJsonObject(where)),
          where,
          parseVisionConfig(readJsonObject(vision), vision),
        ),
        tower: eyes.visionTower,
      }),
      open: () => merged(openCheckpoint(languageModel, ggufDialect), openCheckpoint(eyes.visionTower)),
      withoutProjector: true,
    },
    options,
  );
}

/** Puts a language model and a vision tower together. */
export const loadAssembled = async (
  languageModel: string,
  eyes: Eyes,
  options: LoadOptions = {},
): Promise<PretrainedLlava> => loaded(await describeAssembled(languageModel, eyes, options));
