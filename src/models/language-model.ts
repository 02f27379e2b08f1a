import type { Naming } from "../checkpoint/index.ts";
import type {
  AttentionMask,
  AttentionStep,
  KeyValueCache,
  Module,
  PageStore,
  SegmentRunner,
} from "../nn/index.ts";
import type { DType, Tensor } from "../torch/index.ts";

/** What the configurations of all families say. */
export interface LanguageModelConfig {
  readonly family: string;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly tieWordEmbeddings: boolean;
  /** Tokens a query sees back at most; undefined = all. No mask is needed for sequences up to it. */
  readonly slidingWindow?: number;
}

export type LanguageModelOptions = {
  /** int64 [T] or [B, T]; by default those after the cache's, or 0, 1, … */
  readonly positions?: Tensor;
  /** Linear factor of the positions, in the place of the model's own, where no cache is bound to one. */
  readonly ropeFactor?: number | undefined;
  /** Calls the layers, each a segment (see `ActivationCheckpoints`); by default what each computes on its way is freed behind it. */
  readonly runLayer?: SegmentRunner | undefined;
} & (
  | {
      /** By default causal. */
      readonly attention?: AttentionMask;
      readonly cache?: undefined;
    }
  | {
      readonly attention?: undefined;
      /** All rows of a cache go on by T positions, or the pieces of a step by theirs; each sees its own row. */
      readonly cache: KeyValueCache | AttentionStep | undefined;
    }
);

/** What files call the parameters of a model, and what they may hold beside them. */
export interface Named {
  /** Paths in the module, as what is stored, and canonical names (see `Naming`). */
  readonly paths: Naming;
  /** Canonical names and those in transformers' files of a model of this kind, by which PEFT names adapters. */
  readonly layout: Naming;
  /** Paths of tensors that files may hold and the model has no place for. */
  readonly unused: readonly RegExp[];
}

/** A decoder that answers in tokens to embeddings of tokens and of whatever else. */
export interface LanguageModel extends Module, Named {
  readonly config: LanguageModelConfig;
  /** Where it computes. */
  readonly device: string;
  /** Element type of activations: that of the embedding's weights, unless another was chosen. */
  computeDtype: DType;
  /** The decoder's layers, in whose linear layers most of the weights are. */
  readonly layers: readonly Module[];
  /** ids int64 [B, T] → [B, T, D] */
  embed(inputIds: Tensor): Tensor;
  /** [B, T, D] → hidden states after the final norm [B, T, D]; `logits` turns (some of) them into scores. */
  forward(embeddings: Tensor, options?: LanguageModelOptions): Tensor;
  /** hidden [..., D] → [..., vocab] */
  logits(hidden: Tensor): Tensor;
  newCache(options: { batch: number; capacity: number }): KeyValueCache;
  newPages(options?: { slabBytes?: number }): PageStore;
}
