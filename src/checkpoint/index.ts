export { type GgufHeader, readGgufHeader } from "./gguf/header.ts";
export { type GgufDialect, type GgufDialects, type GgufSource, openGguf } from "./gguf/open.ts";
export type { GgufType } from "./gguf/types.ts";
export { type LoadReport, type LoadStrictOptions, loadStrict, type ParameterTree } from "./load.ts";
export {
  canonicalName,
  canonicalNames,
  layouts,
  type Naming,
  type NamingRule,
  naming,
  RECOMPUTED_TENSORS,
} from "./naming.ts";
export { openCheckpoint } from "./open.ts";
export { openSafetensors, readSafetensorsHeader, writeSafetensors } from "./safetensors.ts";
export { merged, renamed, subtree, type TensorInfo, type TensorSource } from "./source.ts";
export { openTorchFile } from "./torch-file.ts";
export { openWeights } from "./weights-file.ts";
