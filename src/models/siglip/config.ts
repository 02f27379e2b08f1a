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

/** A SigLIP vision transformer of one resolution, SigLIP 2's among them: patch convolution with bias, no class token. */
export interface SiglipVisionConfig extends VisionTransformerConfig {
  readonly family: "siglip";
}

/** Of config.json. The head that pools patches to one vector has no part in LLaVA. */
export const SIGLIP_FIELDS: FieldCoverage = {
  read: [...VISION_TRANSFORMER_FIELDS, "vision_use_head"],
  neutral: ANY_NEUTRAL,
};

/** SiglipVisionConfig's own defaults in transformers: a ViT-B/16. */
const BASE: SiglipVisionConfig = {
  family: "siglip",
  hiddenSize: 768,
  intermediateSize: 3072,
  numLayers: 12,
  numHeads: 12,
  imageSize: 224,
  patchSize: 16,
  numChannels: 3,
  layerNormEps: 1e-6,
  hiddenAct: "gelu_tanh",
};

/** The shape-optimised tower of 400 million parameters: LLaVA-OneVision's, whose last layer the original code takes away. */
export const SIGLIP_SO400M_384: SiglipVisionConfig = {
  ...BASE,
  hiddenSize: 1152,
  intermediateSize: 4304,
  numLayers: 27,
  numHeads: 16,
  imageSize: 384,
  patchSize: 14,
};

/** SigLIP towers that original checkpoints name without describing them. */
export const PUBLISHED_SIGLIPS: Readonly<Record<string, SiglipVisionConfig>> = {
  "google/siglip-so400m-patch14-384": SIGLIP_SO400M_384,
  "google/siglip-so400m-patch14-224": { ...SIGLIP_SO400M_384, imageSize: 224 },
  "google/siglip-base-patch16-224": BASE,
  "google/siglip2-so400m-patch14-384": SIGLIP_SO400M_384,
};

/** What a `config.json` says of a SigLIP vision transformer. @throws LlavaError "config" naming the field */
export const parseSiglipConfig = (json: unknown, where: string): SiglipVisionConfig =>
  parseVisionTransformer(json, where, { base: BASE, coverage: SIGLIP_FIELDS });

/** config.json of the tower alone. */
export const siglipFields = (config: SiglipVisionConfig): JsonObject => ({
  ...visionTransformerFields("siglip_vision_model", config),
  vision_use_head: false,
});

/** The patches of a tile. */
export const gridOf = (config: Pick<SiglipVisionConfig, "imageSize" | "patchSize">): FeatureGrid => ({
  ...patchesOf(config),
  extra: 0,
});
