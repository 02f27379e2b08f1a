export { type EnsureNativeOptions, ensureNative, locateNative, type Native } from "./addon.ts";
export { cacheFolder, type Environment } from "./cache.ts";
export { ensureLibtorch } from "./install-libtorch.ts";
export { findLibtorch, type Libtorch, type LibtorchSearch, type RejectedLibtorch } from "./libtorch.ts";
export { slowLockPatience, withLock } from "./lock.ts";
export { type BuiltinModel, builtinModels, defaultModel } from "./manifest.ts";
export { type CachedModel, listModels } from "./model-list.ts";
export { type ResolvedModel, type ResolveOptions, resolveModel } from "./models.ts";
export { type Progress, type ProgressFactory, type ProgressOptions, silentProgress } from "./progress.ts";
