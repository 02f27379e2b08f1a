export {
  type ConfigurationSource,
  huggingFaceConfig,
  originalConfig,
  type WrittenLayout,
} from "./configuration.ts";
export { type ConversionReport, convertModel, requireFreeFolder } from "./convert.ts";
export { convertPart, isPart } from "./convert-part.ts";
export { type GgufTypeName, ggufTypes } from "./gguf-types.ts";
export { IMAGE_TOKEN, VIDEO_TOKEN, writeJson } from "./image-token.ts";
export { writeHuggingFaceProcessor, writeOriginalProcessor } from "./processor-files.ts";
