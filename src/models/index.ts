export { type LoadAdapterOptions, loadAdapter, type SaveAdapterOptions, saveAdapter } from "./adapter.ts";
export { assembledJson, assembledOrigin, type Eyes, loadAssembled } from "./assemble.ts";
export { type BuiltinOptions, loadBuiltin } from "./builtin.ts";
export { type ClipFeatureSelection, ClipVisionTower } from "./clip.ts";
export { EfficientNetLite, type EfficientNetLiteVariant } from "./efficientnet-lite.ts";
export { transparencyField } from "./image-processor.ts";
export { Llama, type LlamaOptions } from "./llama.ts";
export { Llava, type LlavaParts, type Visual } from "./llava.ts";
export { loadPretrained, type PretrainedOptions } from "./load.ts";
export {
  adaptedLinears,
  adapterParameters,
  applyLora,
  type LoraOptions,
  mergeLora,
  removeLora,
} from "./lora.ts";
export { PooledTower } from "./pooled-tower.ts";
export {
  checkpointOrigin,
  createLlava,
  type LoadOptions,
  loadCheckpoint,
  type PretrainedLlava,
} from "./pretrained.ts";
export { Projector } from "./projector.ts";
export { type PromptFiles, writeChatTemplate } from "./prompt-files.ts";
export { type ModelOrigin, saveModel } from "./save.ts";
export type { TowerOptions, VisionTower } from "./vision-tower.ts";
