export {
  type EnsureNativeOptions,
  ensureNative,
  hashSources,
  isPrebuilt,
  locateNative,
  type Native,
} from "./addon.ts";
export { type BuildTools, findBuildTools, missingBuildTools, programVersion } from "./build-tools.ts";
export { cacheFolder, type Environment, freeBytes, whyUnwritable } from "./cache.ts";
export { adapterFiles, containerSuffixes, weightFiles } from "./hub/repository.ts";
export { bytesOnDisk, bytesToFetch, ensureLibtorch, whyNoWheel } from "./install-libtorch.ts";
export {
  findLibtorch,
  type Libtorch,
  type LibtorchSearch,
  libtorchRelease,
  type RejectedLibtorch,
} from "./libtorch.ts";
export { slowLockPatience, withLock } from "./lock.ts";
export { type BuiltinModel, builtinModels, defaultModel } from "./manifest.ts";
export { type CachedModel, listModels } from "./model-list.ts";
export { type ResolvedModel, type ResolveOptions, resolveModel } from "./models.ts";
export { type PrebuiltKey, prebuiltPackage } from "./prebuilt.ts";
export { type Progress, type ProgressFactory, type ProgressOptions, silentProgress } from "./progress.ts";
export { findPython, type Python, whyNoPython } from "./python.ts";
export { baseOfRun, fromRun, type RunFolder, type RunRecipe, readRunFolder } from "./run-folder.ts";
