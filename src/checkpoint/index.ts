export type * from "./config.ts";
export { type GgufSource, openGguf } from "./gguf.ts";
export { type GgufHeader, parseGgufHeader, readGgufHeader } from "./gguf-header.ts";
export { configFromGguf, nameFromGguf } from "./gguf-llama.ts";
export type { GgufType } from "./gguf-types.ts";
export {
  CLIP_TEXT_TENSORS,
  canonicalName,
  huggingFaceName,
  RECOMPUTED_TENSORS,
  unusedVisionTensors,
} from "./keys.ts";
export { openSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export { openShards } from "./shards.ts";
export { merged, renamed, subtree, type TensorInfo, type TensorSource } from "./source.ts";
export { openTorchFile } from "./torch-file.ts";
