export { type LoadAdapterOptions, loadAdapter, type SaveAdapterOptions, saveAdapter } from "./adapter.ts";
export {
  type AdapterConfig,
  type AdapterFiles,
  readAdapterConfig,
  writeAdapterConfig,
} from "./adapter-files.ts";
export { assembledJson, type Eyes, loadAssembled } from "./assemble.ts";
export { type BuiltinConfig, type BuiltinOptions, loadBuiltin } from "./builtin.ts";
export { transparencyField } from "./image-processor.ts";
export { loadPretrained, openModelProcessor, type PretrainedOptions } from "./load.ts";
export { loadCheckpoint } from "./load-folders.ts";
export {
  adaptedLinears,
  adapterParameters,
  applyLora,
  type LoraOptions,
  mergeLora,
  removeLora,
} from "./lora.ts";
export type { DescribeOptions, LoadOptions, PretrainedLlava } from "./pretrained.ts";
export { openProjector } from "./projector-file.ts";
export { type PromptFiles, writeChatTemplate } from "./prompt-files.ts";
export { type ModelOrigin, saveModel } from "./save.ts";
