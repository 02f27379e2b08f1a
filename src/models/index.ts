export { type ClipFeatureSelection, ClipVisionTower } from "./clip/model.ts";
export {
  EfficientNetLite,
  type EfficientNetLiteVariant,
  efficientNetLiteVariants,
} from "./efficientnet-lite/model.ts";
export { Llama, type LlamaOptions } from "./llama/model.ts";
export { Llava, type LlavaParts, type Visual } from "./llava/model.ts";
export { Projector } from "./llava/projector.ts";
export { PooledTower } from "./pooled-tower.ts";
export type { TowerOptions, VisionTower } from "./vision-tower.ts";
