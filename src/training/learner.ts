import { alone, type Communicator, sumNumbers } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import { type AdamW, clipGradNorm } from "../optim/index.ts";
import { noGrad, scope, type Tensor, tensor, zeros } from "../torch/index.ts";
import type { Batch, Measures, Objective } from "./objectives/objective.ts";

/** What a step's losses come to, over all micro-batches of all ranks. */
export interface StepLoss {
  /** Mean over the step's units, before the update. */
  readonly loss: number;
  readonly units: number;
  readonly tokens: number;
  /** What the objective measures besides, means over the units. */
  readonly measures: Measures;
  /** Rows of this rank whose loss is not finite. */
  readonly suspects: readonly string[];
}

/** What is kept to go on later as if nothing had come between. */
export interface LearnerState {
  /** By names of checkpoints. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly optimizer: ReadonlyMap<string, Tensor>;
}

/** The state of a run after a step. */
export type SavedState = LearnerState & { readonly step: number };

/** The weights that learn, with their gradients and the optimizer: all that differs by how they are kept on several ranks. */
export interface Learner<B extends Batch> {
  /** Adds the gradients of the step's mean loss, of which these batches are this rank's part. */
  backward(batches: readonly B[]): StepLoss;
  /** Bounds the norm of all gradients together, and gives it as it was before. */
  clip(maxNorm: number): number;
  /** Changes the weights by their gradients; the factor is that of the schedule. */
  update(learningRateFactor: number): void;
  clearGradients(): void;
  /** The tensors themselves, not copies. */
  state(): LearnerState;
  /** Copies the values of a saved state. @throws LlavaError "checkpoint" naming a tensor that it lacks */
  load(saved: SavedState): void;
}

/** Every rank has all weights, gradients and moments; gradients are summed over the ranks before each update. */
export class WholeLearner<B extends Batch> implements Learner<B> {
  readonly #objective: Objective<B>;
  readonly #optimizer: AdamW;
  readonly #communicator: Communicator;

  constructor(objective: Objective<B>, optimizer: AdamW, communicator: Communicator = alone) {
    this.#objective = objective;
    this.#optimizer = optimizer;
    this.#communicator = communicator;
  }

  /**
   * Gradients are averaged over the units of all batches of all ranks together: the mean of the batches' means would weigh
   * short ones more.
   */
  backward(batches: readonly B[]): StepLoss {
    const total = (of: "units" | "tokens") => batches.reduce((sum, batch) => sum + batch[of], 0);
    const [units, tokens] = this.#sum(total("units"), total("tokens")) as [number, number];
    const measured: Record<string, number> = {};
    const losses = batches.map((batch) => this.#accumulate(batch, units, measured));
    this.#sumGradients();
    const own = losses.reduce((sum, loss) => sum + loss, 0);
    const names = Object.keys(measured);
    const [loss, ...sums] = this.#sum(own, ...Object.values(measured)) as [number, ...number[]];
    const measures = Object.fromEntries(names.map((name, i) => [name, sums[i]! / units]));
    const suspects = batches.flatMap((batch, i) =>
      Number.isFinite(losses[i]) ? [] : (this.#objective.suspects?.(batch) ?? batch.samples),
    );
    return { loss: loss / units, units, tokens, measures, suspects };
  }

  #sum(...values: number[]): readonly number[] {
    return sumNumbers(this.#communicator, values);
  }

  /** The batch's loss, a sum; what is measured besides is added to `measured`. */
  #accumulate(batch: B, units: number, measured: Record<string, number>): number {
    return scope(() => {
      const loss = this.#objective.loss(batch, (sums) => {
        for (const [name, sum] of Object.entries(sums)) measured[name] = (measured[name] ?? 0) + sum;
      });
      const scaled = loss.div(units);
      // Nothing that learns takes part in text alone, where only the projector learns.
      if (scaled.requiresGrad) {
        if (this.#objective.backward) this.#objective.backward(scaled);
        else scaled.backward();
      }
      return loss.item();
    });
  }

  /** A weight that has a gradient on one rank has its sum on all. */
  #sumGradients(): void {
    if (this.#communicator.size === 1) return;
    noGrad(() =>
      scope(() => {
        const parameters = this.#optimizer.parameters();
        const counts = tensor(parameters.map(({ grad }) => (grad ? 1 : 0)));
        this.#communicator.sum([counts]);
        const ranks = counts.toNumbers();
        const reached = parameters.filter((_, i) => ranks[i]! > 0);
        for (const parameter of reached)
          parameter.grad ??= zeros(parameter.shape, { device: parameter.device });
        this.#communicator.sum(reached.map(({ grad }) => grad!));
      }),
    );
  }

  clip(maxNorm: number): number {
    return clipGradNorm(this.#optimizer.parameters(), maxNorm);
  }

  update(learningRateFactor: number): void {
    this.#optimizer.step(learningRateFactor);
  }

  clearGradients(): void {
    this.#optimizer.clearGradients();
  }

  state(): LearnerState {
    const weights = new Map(this.#optimizer.groups.flatMap(({ parameters }) => [...parameters]));
    return { weights, optimizer: this.#optimizer.state() };
  }

  load(saved: SavedState): void {
    copyWeights(saved, this.state().weights);
    this.#optimizer.load(saved.optimizer);
  }
}

/** @throws LlavaError "checkpoint" naming a tensor that the saved state lacks */
export function copyWeights({ step, weights }: SavedState, into: ReadonlyMap<string, Tensor>): void {
  noGrad(() => {
    for (const [name, tensor] of into) {
      const stored = weights.get(name);
      if (!stored) throw new LlavaError("checkpoint", `the checkpoint of step ${step} lacks ${name}`);
      tensor.copy_(stored);
    }
  });
}
