export { loadAdapter, saveAdapter } from "./adapter.ts";
export { readAdapterConfig, writeAdapterConfig } from "./adapter-files.ts";
export { addNewline, anyResTiling, withAnyRes } from "./any-res.ts";
export { assembledJson, type Eyes, loadAssembled } from "./assemble.ts";
export { bytesInBlocks, type FewBits } from "./block-types.ts";
export { loadBuiltin } from "./builtin.ts";
export {
  type ConversionReport,
  convertModel,
  convertPart,
  type GgufTypeName,
  isPart,
  requireFreeFolder,
  type WrittenLayout,
} from "./conversion/index.ts";
export { transparencyField } from "./image-processor.ts";
export { type ModelFacts, modelFacts } from "./information.ts";
export { keeping } from "./kept-weights.ts";
export { loadPretrained, openModelProcessor } from "./load.ts";
export { loadCheckpoint } from "./load-folders.ts";
export {
  adaptedLinears,
  adapterParameters,
  applyLora,
  mergeLora,
  removeLora,
  withAdaptersOff,
} from "./lora.ts";
export type { PretrainedLlava } from "./pretrained.ts";
export { openProjector } from "./projector-file.ts";
export { type PromptFiles, writeChatTemplate } from "./prompt-files.ts";
export { checkReaders, type ReaderName, readerNames, type Verdict } from "./readers/index.ts";
export { saveModel } from "./save.ts";
export { withVideo } from "./video.ts";
