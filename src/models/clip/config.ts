import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { ANY_NEUTRAL, coverFields, type FieldCoverage } from "../config-coverage.ts";
import { activation, checked, count, positive, smallCount } from "../config-fields.ts";

/** A CLIP vision transformer: patch convolution without bias, class token, learned positions, pre-norm blocks. */
export interface ClipVisionConfig {
  readonly family: "clip";
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Side of the square input image, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly numChannels: number;
  readonly layerNormEps: number;
  readonly hiddenAct: "quick_gelu" | "gelu";
}

const fields = z.object({
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: smallCount,
  num_attention_heads: smallCount,
  num_channels: z.literal(3).nullish(), // images come as RGB
  image_size: smallCount,
  patch_size: smallCount,
  hidden_act: z.string().nullish(),
  layer_norm_eps: positive,
});

/** Of config.json. */
export const CLIP_FIELDS: FieldCoverage = {
  read: Object.keys(fields.shape),
  neutral: { ...ANY_NEUTRAL, vision_use_head: [false], use_rope: [false] },
};

/** CLIPVisionConfig's own defaults in transformers: a ViT-B/32. */
const BASE: ClipVisionConfig = {
  family: "clip",
  hiddenSize: 768,
  intermediateSize: 3072,
  numLayers: 12,
  numHeads: 12,
  imageSize: 224,
  patchSize: 32,
  numChannels: 3,
  layerNormEps: 1e-5,
  hiddenAct: "quick_gelu",
};

const LARGE: ClipVisionConfig = {
  ...BASE,
  hiddenSize: 1024,
  intermediateSize: 4096,
  numLayers: 24,
  numHeads: 16,
  patchSize: 14,
};

/** The tower of LLaVA 1.5 and the one a LLaVA configuration without `vision_config` means: ViT-L/14 at 336 pixels. */
export const CLIP_LARGE_336: ClipVisionConfig = { ...LARGE, imageSize: 336 };

/** CLIP towers that original checkpoints name without describing them. */
export const PUBLISHED_CLIPS: Readonly<Record<string, ClipVisionConfig>> = {
  "openai/clip-vit-large-patch14-336": CLIP_LARGE_336,
  "openai/clip-vit-large-patch14": LARGE,
  "openai/clip-vit-base-patch16": { ...BASE, patchSize: 16 },
  "openai/clip-vit-base-patch32": BASE,
};

/** What a `config.json` says of a CLIP vision transformer. @throws LlavaError "config" naming the field */
export function parseClipConfig(json: unknown, where: string): ClipVisionConfig {
  coverFields(json as JsonObject, { ...CLIP_FIELDS, where });
  const config = checked(fields, json, where);
  const vision: ClipVisionConfig = {
    family: "clip",
    hiddenSize: config.hidden_size ?? BASE.hiddenSize,
    intermediateSize: config.intermediate_size ?? BASE.intermediateSize,
    numLayers: config.num_hidden_layers ?? BASE.numLayers,
    numHeads: config.num_attention_heads ?? BASE.numHeads,
    imageSize: config.image_size ?? BASE.imageSize,
    patchSize: config.patch_size ?? BASE.patchSize,
    numChannels: config.num_channels ?? BASE.numChannels,
    layerNormEps: config.layer_norm_eps ?? BASE.layerNormEps,
    hiddenAct: activation(config.hidden_act ?? BASE.hiddenAct, ["quick_gelu", "gelu"], where),
  };
  if (vision.hiddenSize % vision.numHeads !== 0) {
    throw new LlavaError(
      "config",
      `${where}: hidden_size ${vision.hiddenSize} does not divide over ${vision.numHeads} heads`,
    );
  }
  if (vision.patchSize > vision.imageSize) {
    throw new LlavaError(
      "config",
      `${where}: patch_size ${vision.patchSize} is larger than image_size ${vision.imageSize}`,
    );
  }
  return vision;
}

/** config.json of the tower alone. */
export const clipFields = (config: ClipVisionConfig): JsonObject => ({
  model_type: "clip_vision_model",
  hidden_size: config.hiddenSize,
  intermediate_size: config.intermediateSize,
  num_hidden_layers: config.numLayers,
  num_attention_heads: config.numHeads,
  num_channels: config.numChannels,
  image_size: config.imageSize,
  patch_size: config.patchSize,
  hidden_act: config.hiddenAct,
  layer_norm_eps: config.layerNormEps,
});

/** The patches of a tile, and the class token where it is kept. */
export function gridOf(
  { imageSize, patchSize }: Pick<ClipVisionConfig, "imageSize" | "patchSize">,
  selectStrategy: "patch" | "full",
): FeatureGrid {
  const side = Math.floor(imageSize / patchSize);
  return { rows: side, columns: side, extra: selectStrategy === "full" ? 1 : 0 };
}
