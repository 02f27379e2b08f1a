import type { Tensor } from "../../torch/index.ts";

/** What one forward and backward pass takes. Its tensors are its own. */
export interface Batch extends Disposable {
  /** What the loss is averaged over: supervised tokens, or pairs of answers. */
  readonly units: number;
  /** Tokens that the language model sees. */
  readonly tokens: number;
  /** Ids of the rows inside. */
  readonly samples: readonly string[];
}

/** What is minimised: the one part of a training run that differs between captioning, fine-tuning and preferences. */
export interface Objective<B extends Batch> {
  /** The sum over the batch's units, a float32 scalar; the trainer divides by the units of the whole step. */
  loss(batch: B): Tensor;
  /**
   * The rows of a batch whose own part of the loss is not finite, with those that share a short packed row with one: there
   * what is not a number spreads. All of the batch where that cannot be told.
   */
  suspects?(batch: B): readonly string[];
  /** Adds the gradients of what `loss` gave, by a factor, where that takes more than libtorch's own backward pass. */
  backward?(scaledLoss: Tensor): void;
}

/** Deals the batches of one step after another. */
export interface BatchSource<B extends Batch, State = unknown> {
  /** The micro-batches of the next step. */
  next(): Promise<B[]>;
  /** Where it is: put back, the same batches follow. */
  state: State;
}
