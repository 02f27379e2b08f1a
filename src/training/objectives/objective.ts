import { ActivationCheckpoints } from "../../nn/index.ts";
import type { PretrainedLlava, PromptFiles } from "../../pretrained/index.ts";
import type { Generator, Tensor } from "../../torch/index.ts";
import { type Recipe, shardingOf } from "../recipe/recipe.ts";
import type { ShardedWeights } from "../sharding/sharded-weights.ts";
import type { Surroundings } from "../stage/load.ts";

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
  /**
   * The sum over the batch's units, a float32 scalar; the learner divides by the units of the whole step. `note` is told
   * what is measured besides, by names of the log, as sums over the units too.
   */
  loss(batch: B, note?: (sums: Measures) => void): Tensor;
  /**
   * The rows of a batch whose own part of the loss is not finite, with those that share a short packed row with one: there
   * what is not a number spreads. All of the batch where that cannot be told.
   */
  suspects?(batch: B): readonly string[];
  /** Adds the gradients of what `loss` gave, by a factor, where that takes more than libtorch's own backward pass. */
  backward?(scaledLoss: Tensor): void;
  /** A batch without units that goes through all that one `like` it does, for a rank that has none while others have. */
  idle?(like?: B): B;
}

/** Numbers by names of the log. */
export type Measures = Readonly<Record<string, number>>;

/** The sums of what is under the same names. */
export function totals(parts: readonly Measures[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const part of parts)
    for (const [name, value] of Object.entries(part)) sums[name] = (sums[name] ?? 0) + value;
  return sums;
}

/** Deals the batches of one step after another. */
export interface BatchSource<B extends Batch, State = unknown> {
  /** The micro-batches of the next step. */
  next(): Promise<B[]>;
  /** Where it is: put back, the same batches follow. */
  state: State;
}

/** What an objective is prepared from. */
export interface ObjectiveInputs {
  readonly recipe: Recipe;
  /** With the weights that learn told apart from the frozen ones, and adapters where they learn. */
  readonly pretrained: PretrainedLlava;
  /** Of everything that is drawn in a step. */
  readonly generator: Generator;
  /** Where weights are there only while they are computed with. */
  readonly sharded: ShardedWeights | undefined;
  readonly around: Surroundings;
}

/** How the layers are run, where not simply one after the other. */
export function checkpointsOf({
  recipe,
  generator,
  sharded,
}: ObjectiveInputs): ActivationCheckpoints | undefined {
  // Weights that are given up after a layer are not there for a graph to be gone back through.
  const recomputes = recipe.activationCheckpointing || shardingOf(recipe) === "weights";
  if (!recomputes && !sharded) return undefined;
  return new ActivationCheckpoints({ generators: [generator], recomputes, weights: sharded });
}

/** An objective with the data that it takes. */
export interface PreparedObjective<B extends Batch> extends Disposable {
  readonly objective: Objective<B>;
  readonly source: BatchSource<B> & { readonly stepsPerEpoch: number };
  /** Held-out batches with their own images. */
  readonly heldOut: readonly B[];
  /** Told after each step what was measured; may throw to end the run. */
  watch?(step: { readonly step: number; readonly totalSteps: number; readonly measures: Measures }): void;
  /** Measures the model on the held-out batches: on all ranks at once, which share the work. */
  evaluate(): Evaluation;
  /** Measured on the data and kept with the weights, by names of checkpoints: statistics of the image features. */
  readonly measured: ReadonlyMap<string, Tensor>;
  readonly prompts: PromptFiles;
}

/** What is measured on held-out batches, by names of the log, and as a line for people. */
export interface Evaluation {
  readonly measures: Measures & { readonly heldOutLoss: number };
  readonly summary: string;
}
