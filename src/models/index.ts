export { type BuiltinOptions, loadBuiltin, loadPretrained } from "./builtin.ts";
export { type ClipFeatureSelection, ClipVisionTower } from "./clip.ts";
export { EfficientNetLite, type EfficientNetLiteVariant } from "./efficientnet-lite.ts";
export { Llama, type LlamaOptions } from "./llama.ts";
export { Llava, type LlavaParts } from "./llava.ts";
export {
  adaptedLinears,
  adapterParameters,
  applyLora,
  type LoraOptions,
  mergeLora,
  removeLora,
} from "./lora.ts";
export { PooledTower } from "./pooled-tower.ts";
export { createLlava, type LoadOptions, loadCheckpoint, type PretrainedLlava } from "./pretrained.ts";
export { Projector } from "./projector.ts";
export type { VisionTower } from "./vision-tower.ts";
