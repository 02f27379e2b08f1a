export { backward, grad, inference, isRecording, noGrad } from "./autograd.ts";
export {
  type Blocks,
  type BlockType,
  blockLayouts,
  dequantize,
  quantize,
  quantizedLinear,
  type WrittenBlockType,
} from "./blocks.ts";
export { type ComputeDType, fastDType, instructionSet } from "./compute-dtype.ts";
export {
  type CudaMemory,
  cudaMemory,
  ncclVersion,
  openNccl,
  type RecordedWork,
  recordWork,
  releaseCudaMemory,
  resetCudaPeak,
} from "./cuda.ts";
export { byteWidth, type DType, isFloating } from "./dtype.ts";
export { TorchError } from "./errors.ts";
export * from "./functions.ts";
export { Generator } from "./generator.ts";
export { MappedFile, releasePages } from "./mapped-file.ts";
export { metaTensor } from "./meta-tensor.ts";
export { closeGroups, openGroup, openStore, type Store } from "./process-groups.ts";
export * from "./runtime.ts";
export { keep, liveTensors, owned, scope } from "./scope.ts";
export { aten, Tensor } from "./tensor.ts";
