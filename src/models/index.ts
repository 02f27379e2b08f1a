export { type ClipVisionConfig, PUBLISHED_TOWERS, parseVisionConfig } from "./clip/config.ts";
export { type ClipFeatureSelection, ClipVisionTower } from "./clip/model.ts";
export { checked } from "./config-fields.ts";
export {
  EfficientNetLite,
  type EfficientNetLiteVariant,
  efficientNetLiteVariants,
} from "./efficientnet-lite/model.ts";
export type { LanguageModel, LanguageModelConfig, LanguageModelOptions, Named } from "./language-model.ts";
export {
  contextLengthOf,
  type LlamaConfig,
  parseTextConfig,
  TEXT_MODEL_TYPES,
  type TextModelType,
} from "./llama/config.ts";
export { configFromGguf, ggufDialect, ggufNames } from "./llama/gguf.ts";
export { Llama } from "./llama/model.ts";
export {
  type LlavaConfig,
  ORIGINAL_IMAGE_TOKEN_ID,
  originalModelType,
  type ProjectorConfig,
  parseLlavaConfig,
  readLlavaConfig,
  unknownConfigFields,
} from "./llava/config.ts";
export { Llava, type LlavaParts, llavaPaths, type Visual } from "./llava/model.ts";
export { Projector } from "./llava/projector.ts";
export { type TowerPlaces, towerFolder, towerName } from "./llava/tower-folder.ts";
export { PooledTower } from "./pooled-tower.ts";
export type { TowerOptions, VisionTower } from "./vision-tower.ts";
