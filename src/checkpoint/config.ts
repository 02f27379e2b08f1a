/**
 * What a model's `config.json` (or GGUF metadata) says, in one shape for every layout. The models build themselves from
 * these; nothing here is optional unless the architecture really may lack it.
 */

/** Rotary frequency scaling: "linear" divides positions; "llama3" stretches only the low frequencies. */
export type RopeScaling =
  | { readonly type: "linear"; readonly factor: number; readonly originalMaxPositionEmbeddings?: number }
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFreqFactor: number;
      readonly highFreqFactor: number;
      readonly originalMaxPositionEmbeddings: number;
    };

/** A decoder of the Llama kind: Llama, Vicuna, Mistral and Qwen2 differ only in these numbers and biases. */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly hiddenAct: "silu" | "gelu" | "gelu_tanh";
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  /** As the file says; see `contextLengthOf`. */
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  /** Bias of the query, key and value projections (Qwen2; Llama with attention_bias). */
  readonly attentionBias: boolean;
  /** Bias of the attention's output projection (Llama with attention_bias). */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Tokens a query sees back at most; undefined = all. No mask is needed for sequences up to it. */
  readonly slidingWindow?: number;
}

/** A CLIP vision transformer: patch convolution without bias, class token, learned positions, pre-norm blocks. */
export interface ClipVisionConfig {
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Side of the square input image, pixels. */
  readonly imageSize: number;
  /** Side of a patch, pixels. */
  readonly patchSize: number;
  readonly numChannels: number;
  readonly layerNormEps: number;
  readonly hiddenAct: "quick_gelu" | "gelu";
}

/** "linear" is one layer; "mlp" has `depth` linear layers with `act` between them; "identity" has no parameters. */
export interface ProjectorConfig {
  readonly type: "linear" | "mlp" | "identity";
  /** Number of linear layers: 0 for identity, 1 for linear. */
  readonly depth: number;
  readonly act: "gelu" | "gelu_tanh" | "silu" | "relu";
  readonly bias: boolean;
}

export interface LlavaConfig {
  readonly text: LlamaConfig;
  readonly vision: ClipVisionConfig;
  readonly projector: ProjectorConfig;
  /** Id that stands in `inputIds` for one image feature row. */
  readonly imageTokenId: number;
  /** Indices into the list of hidden states (element 0 = embeddings); several are concatenated. Negative from the end. */
  readonly featureLayers: readonly number[];
  /** "patch" drops the class token, "full" keeps it. */
  readonly selectStrategy: "patch" | "full";
  /** "pad" = mean-coloured square first; "crop" = resize and centre crop. */
  readonly imageAspectRatio: "pad" | "crop";
  /** Feature rows of one image. */
  readonly imageSequenceLength: number;
  /** Whether an image's features stand between the tokens `<im_start>` and `<im_end>` in a prompt (LLaVA v0, MPT). */
  readonly useImageStartEnd: boolean;
  /** Id or path of the vision tower whose weights are not in this checkpoint; undefined when they are. */
  readonly visionTower?: string;
}
