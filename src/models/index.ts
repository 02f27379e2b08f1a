export type { ClipVisionConfig } from "./clip/config.ts";
export { ClipVisionTower } from "./clip/model.ts";
export { checked } from "./config-fields.ts";
export {
  EfficientNetLite,
  type EfficientNetLiteVariant,
  efficientNetLiteVariants,
} from "./efficientnet-lite/model.ts";
export {
  BESIDE_TOWERS,
  configFromGguf,
  contextLengthOf,
  createLanguageModel,
  describeGgufText,
  ggufDialect,
  gridOf,
  hasClassToken,
  imageConfigOf,
  languageTitle,
  originalLayerOf,
  originalOf,
  PUBLISHED_DECODERS,
  PUBLISHED_TOWERS,
  parseTextConfig,
  parseVisionConfig,
  templateOf,
  textFieldsFromGguf,
  textFieldsOf,
  textTypeOf,
  trainedLengthOf,
  visionArchitectureOf,
  visionFieldsOf,
} from "./families.ts";
export { EYE_ARCHITECTURE } from "./gguf-values.ts";
export type { LanguageModel, LanguageModelConfig, Named } from "./language-model.ts";
export { LLAMA_TYPES, type LlamaConfig, parseLlamaConfig } from "./llama/config.ts";
export { ggufNames } from "./llama/gguf.ts";
export { Llama } from "./llama/model.ts";
export {
  type LlavaConfig,
  ORIGINAL_IMAGE_TOKEN_ID,
  parseLlavaConfig,
  readLlavaConfig,
  unknownConfigFields,
} from "./llava/config.ts";
export { createLlava } from "./llava/create.ts";
export { describeEye, eyeDialect, eyeFromGguf, type SourceLayout } from "./llava/gguf.ts";
export { Llava, llavaPaths, TILES_AT_ONCE, type Visual } from "./llava/model.ts";
export { Projector } from "./llava/projector.ts";
export type { ProjectorConfig } from "./llava/projector-config.ts";
export { fivePinpoints, huggingFaceTiling, originalTiling, originalTilingWords } from "./llava/tiling.ts";
export { towerFolder, towerName } from "./llava/tower-folder.ts";
export { huggingFaceVideo, originalVideo, originalVideoFieldsOf } from "./llava/video.ts";
export { PooledTower } from "./pooled-tower.ts";
export type { SegmentedForward, TowerOptions, VisionConfig, VisionTower } from "./vision-tower.ts";
