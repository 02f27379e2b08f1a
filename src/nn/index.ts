export {
  ActivationCheckpoints,
  freeing,
  type SegmentRunner,
  type SegmentsRunner,
  type SegmentWeights,
} from "./activation-checkpoints.ts";
export { activations, gated } from "./activations.ts";
export { AdaptedLinear } from "./adapted-linear.ts";
export { type AttentionBlock, type AttentionMask, attend, causalMask, shortRow } from "./attention.ts";
export { BlockEmbedding } from "./block-embedding.ts";
export { BlockLinear } from "./block-linear.ts";
export { KeyValueCache } from "./cache/cache.ts";
export { FixedStep } from "./cache/fixed-step.ts";
export { PagedStep } from "./cache/paged-step.ts";
export { PAGE, PageStore } from "./cache/pages.ts";
export { type CacheRow, KeyValuePool } from "./cache/pool.ts";
export { type AttentionStep, type CachePiece, CacheStep } from "./cache/step.ts";
export { initializeLinear } from "./init.ts";
export { layInPanels } from "./lay-in-panels.ts";
export { Embedding, LayerNorm, Linear, RmsNorm, RmsNormFromOne } from "./layers.ts";
export { LowRankAdapter, type LowRankOptions } from "./low-rank-adapter.ts";
export { Module, type ParameterPlace, placeholder } from "./module.ts";
export { type PackedSequences, packedSequences } from "./packed-attention.ts";
export { PanelEmbedding, PanelLinear, project } from "./panel-linear.ts";
export { QuantizedLinear } from "./quantized-linear.ts";
export {
  type RopeFactors,
  type RopeScaling,
  type RotaryAngles,
  RotaryEmbedding,
  rotaryFactors,
  rotate,
} from "./rotary.ts";
