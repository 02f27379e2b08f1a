import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { coverFields, VISION_NEUTRAL } from "../config-coverage.ts";
import { activation, checked, count, positive, smallCount } from "../config-fields.ts";

/** A CLIP vision transformer: patch convolution without bias, class token, learned positions, pre-norm blocks. */
export interface ClipVisionConfig {
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

export const VISION_FIELDS: readonly string[] = Object.keys(fields.shape);

/** CLIPVisionConfig's own defaults in transformers: a ViT-B/32. */
const BASE: ClipVisionConfig = {
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
export const PUBLISHED_TOWERS: Readonly<Record<string, ClipVisionConfig>> = {
  "openai/clip-vit-large-patch14-336": CLIP_LARGE_336,
  "openai/clip-vit-large-patch14": LARGE,
  "openai/clip-vit-base-patch16": { ...BASE, patchSize: 16 },
  "openai/clip-vit-base-patch32": BASE,
};

/** A CLIP vision transformer's `config.json` (or that of a whole CLIP model), or a `vision_config` inside another. */
export function parseVisionConfig(json: unknown, where: string): ClipVisionConfig {
  const { model_type: type = "clip_vision_model", vision_config: nested } = (json ?? {}) as Record<
    string,
    unknown
  >;
  if (type === "clip") return parseVisionConfig(nested, where);
  if (type !== "clip_vision_model") {
    throw new LlavaError(
      "config",
      `${where}: vision model type "${String(type)}"; known are clip_vision_model, clip`,
      { hint: "Checkpoints with other vision towers are not read yet." },
    );
  }
  coverFields((json ?? {}) as JsonObject, { read: VISION_FIELDS, neutral: VISION_NEUTRAL, where });
  const config = checked(fields, json ?? {}, where);
  const vision: ClipVisionConfig = {
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

/** The patches of a tile, and the class token where it is kept. */
export function gridOf(
  { imageSize, patchSize }: Pick<ClipVisionConfig, "imageSize" | "patchSize">,
  selectStrategy: "patch" | "full",
): FeatureGrid {
  const side = Math.floor(imageSize / patchSize);
  return { rows: side, columns: side, extra: selectStrategy === "full" ? 1 : 0 };
}
