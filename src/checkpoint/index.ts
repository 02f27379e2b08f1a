export { type GgufHeader, readGgufHeader } from "./gguf/header.ts";
export { type GgufDialect, openGguf } from "./gguf/open.ts";
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
export { openSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export { merged, renamed, subtree, type TensorSource } from "./source.ts";
export { openTorchFile } from "./torch-file.ts";
export { openWeights } from "./weights-file.ts";
export { writeShards } from "./write-shards.ts";
