export {
  type AdapterConfig,
  type AdapterFiles,
  adapterFolder,
  isAdapter,
  openAdapter,
  readAdapterConfig,
  writeAdapterConfig,
} from "./adapter.ts";
export type * from "./config.ts";
export { makeFolder, readJsonObject, readJsonVerbatim, writeAtomically, writing } from "./file.ts";
export { type GgufHeader, parseGgufHeader, readGgufHeader } from "./gguf/header.ts";
export { type GgufSource, openGguf } from "./gguf/open.ts";
export type { GgufType } from "./gguf/types.ts";
export { configFromGguf, nameFromGguf } from "./gguf-llama.ts";
export {
  CLIP_TEXT_TENSORS,
  canonicalName,
  huggingFaceName,
  originalName,
  RECOMPUTED_TENSORS,
  unusedVisionTensors,
} from "./keys.ts";
export {
  ORIGINAL_IMAGE_TOKEN_ID,
  originalModelType,
  parseLlavaConfig,
  readLlavaConfig,
  unknownConfigFields,
} from "./llava-config.ts";
export { type LoadOptions, type LoadReport, loadStrict, type ParameterTree } from "./load.ts";
export { openCheckpoint } from "./open.ts";
export { isProjectorFolder, openProjector, PROJECTOR_PREFIX } from "./projector-file.ts";
export { openSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export { openShards } from "./shards.ts";
export { merged, renamed, subtree, type TensorInfo, type TensorSource } from "./source.ts";
export { contextLengthOf, parseTextConfig, TEXT_MODEL_TYPES, type TextModelType } from "./text-config.ts";
export { openTorchFile } from "./torch-file.ts";
export { type TowerPlaces, towerFolder, towerName } from "./tower-folder.ts";
export { PUBLISHED_TOWERS, parseVisionConfig } from "./vision-config.ts";
export { openWeights } from "./weights-file.ts";
