export { type GgufHeader, readGgufHeader, readGgufVector } from "./gguf/header.ts";
export { type GgufDialect, joinRotaryPairs, openGguf } from "./gguf/open.ts";
export {
  encoded,
  float32,
  type GgufValue,
  rowRanges,
  type WrittenGgufTensor,
  type WrittenGgufType,
  writeGguf,
} from "./gguf/write.ts";
export { loadStrict, type ParameterTree } from "./load.ts";
export {
  canonicalName,
  canonicalNames,
  layouts,
  type Naming,
  type NamingRule,
  naming,
  RECOMPUTED_TENSORS,
} from "./naming.ts";
export { openCheckpoint, openStored } from "./open.ts";
export {
  openSafetensors,
  readSafetensorsHeader,
  type WriteOptions,
  writeSafetensors,
} from "./safetensors.ts";
export { merged, renamed, subtree, type TensorInfo, type TensorSource, tableSource } from "./source.ts";
export { openTorchFile } from "./torch-file.ts";
export { openWeights } from "./weights-file.ts";
export { writeShards } from "./write-shards.ts";
export { writeTorchFile } from "./write-torch-file.ts";
