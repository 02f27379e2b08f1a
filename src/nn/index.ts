export {
  ActivationCheckpoints,
  freeing,
  type Segment,
  type SegmentRunner,
} from "./activation-checkpoints.ts";
export { type Activation, activations } from "./activations.ts";
export { type AttentionBlock, type AttentionMask, attend, causalMask, shortRow } from "./attention.ts";
export { type CacheSpan, KeyValueCache, type KeyValueCacheOptions } from "./cache/cache.ts";
export { type CacheRow, KeyValuePool, type RowsWanted } from "./cache/pool.ts";
export { type CachePiece, CacheStep } from "./cache/step.ts";
export { initializeLinear } from "./init.ts";
export { Embedding, LayerNorm, Linear, RmsNorm } from "./layers.ts";
export { LowRankAdapter, type LowRankOptions } from "./low-rank-adapter.ts";
export { Module, placeholder } from "./module.ts";
export { type RopeScaling, type RotaryAngles, RotaryEmbedding, rotate } from "./rotary.ts";
