import type { PretrainedLlava } from "../pretrained/index.ts";
import type { ImageLayout } from "../processing/image/index.ts";
import type { Processor } from "../processing/processor/index.ts";
import type { SamplingOptions, ServedSampling } from "../protocol/index.ts";
import type { Tensor } from "../torch/index.ts";

/** What generates: a model, the tokenizer that reads its tokens, the ids that end an answer. */
export interface TextGenerator extends Pick<PretrainedLlava, "model"> {
  readonly processor: Pick<Processor, "tokenizer" | "stopIds" | "contextLength" | "trainedLength">;
}

/** The search for likely answers instead of a draw of one. */
export interface BeamSettings {
  /** Continuations of a prompt that are followed at once. */
  readonly beams?: number;
  /** Power of the length, end token included, that a sum of log probabilities is divided by; 1, the default: their mean. */
  readonly lengthPenalty?: number;
}

/** Which tokens may come next; a matcher of constraints is one. */
interface TokenFilter {
  /** Bit i % 32 of word i / 32 for id i. */
  mask(): Uint32Array;
  /** Takes the token that was chosen. */
  accept(id: number): void;
  /** Whether nothing but an end may follow. */
  readonly isFinished: boolean;
}

/** What bears on the tokens of one answer, and what is told of them. */
export interface TokenRules
  extends Pick<
    ServedSampling,
    "frequencyPenalty" | "presencePenalty" | "logitBias" | "stopIds" | "minTokens" | "topLogprobs"
  > {
  readonly filter?: TokenFilter | undefined;
}

/** One prompt, and how it is to be answered. */
export interface GenerationInput extends SamplingOptions, BeamSettings, TokenRules {
  /** With a placeholder for each feature row of its images. */
  readonly inputIds: readonly number[];
  /** [N, 3, H, W] of its images' N tiles. The caller disposes of it. */
  readonly pixelValues?: Tensor;
  /** [N, tokens, C] that the tower made of them before, in place of pixels. The caller disposes of it. */
  readonly imageFeatures?: Tensor;
  /** How its images were cut into tiles; without it each is one. */
  readonly layouts?: readonly ImageLayout[];
  /** Linear factor of positions, in the place of the model's own. */
  readonly ropeFactor?: number | undefined;
  /** Whether end tokens are tokens like others, so that only length and stop strings end the answer. */
  readonly ignoreEos?: boolean;
}

export interface GenerationOptions {
  /** Tokens of prompts that go through the language model at once; 512. Between them an abort is noticed. */
  readonly prefillChunk?: number;
  /** Whether decoding steps are recorded and repeated, on a GPU as CUDA graphs; no. */
  readonly recordsSteps?: boolean;
  readonly signal?: AbortSignal | undefined;
}
