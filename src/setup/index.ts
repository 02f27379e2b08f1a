export { ensureNative, hashSources, isPrebuilt, locateNative } from "./addon.ts";
export { findBuildTools, missingBuildTools, programVersion } from "./build-tools.ts";
export { cacheFolder, freeBytes, whyUnwritable } from "./cache.ts";
export { ensureCudaAddon, locateCudaAddon } from "./cuda-addon.ts";
export { chooseGguf } from "./hub/gguf-choice.ts";
export { isHubName } from "./hub/id.ts";
export { adapterFiles, containerSuffixes, weightFiles } from "./hub/repository.ts";
export { bytesOnDisk, bytesToFetch, whyNoWheel } from "./install-libtorch.ts";
export { findLibtorch, type Libtorch, libtorchRelease, type RejectedLibtorch } from "./libtorch.ts";
export { ensureLlguidance, findLlguidance } from "./llguidance.ts";
export { builtinModels, defaultModel } from "./manifest.ts";
export { type CachedModel, listModels } from "./model-list.ts";
export { type ResolvedModel, resolveModel } from "./models.ts";
export type { ResolveOptions } from "./options.ts";
export {
  deviceHint,
  devicePattern,
  type KeptWeights,
  keptWeights,
  type WeightType,
  weightType,
  weightTypes,
} from "./placement-names.ts";
export { type PrebuiltKey, prebuiltPackage } from "./prebuilt.ts";
export { type Progress, type ProgressFactory, type ProgressOptions, silentProgress } from "./progress.ts";
export { findPython, type Python, whyNoPython } from "./python.ts";
export { baseOfRun, fromRun, type RunFolder, type RunRecipe, readRunFolder } from "./run-folder.ts";
