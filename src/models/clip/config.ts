import type { JsonObject } from "../../files/index.ts";
import type { FeatureGrid } from "../../processing/image/index.ts";
import { ANY_NEUTRAL, type FieldCoverage } from "../config-coverage.ts";
import {
  parseVisionTransformer,
  patchesOf,
  VISION_TRANSFORMER_FIELDS,
  type VisionTransformerConfig,
  visionTransformerFields,
} from "../vision-transformer/config.ts";

/** A CLIP vision transformer: patch convolution without bias, class token, learned positions, pre-norm blocks. */
export interface ClipVisionConfig extends VisionTransformerConfig {
  readonly family: "clip";
}

/** Of config.json. */
export const CLIP_FIELDS: FieldCoverage = {
  read: VISION_TRANSFORMER_FIELDS,
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
export const parseClipConfig = (json: unknown, where: string): ClipVisionConfig =>
  parseVisionTransformer(json, where, { base: BASE, coverage: CLIP_FIELDS });

/** config.json of the tower alone. */
export const clipFields = (config: ClipVisionConfig): JsonObject =>
  visionTransformerFields("clip_vision_model", config);

/** The patches of a tile, and the class token where it is kept. */
export const gridOf = (
  config: Pick<ClipVisionConfig, "imageSize" | "patchSize">,
  selectStrategy: "patch" | "full",
): FeatureGrid => ({ ...patchesOf(config), extra: selectStrategy === "full" ? 1 : 0 });
