import { alone, type Communicator, exchange } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import { type AdamW, clipGradNorm } from "../optim/index.ts";
import { noGrad, scope, type Tensor, zeros } from "../torch/index.ts";
import { type Batch, type Measures, type Objective, totals } from "./objectives/objective.ts";
import { areInPieces, copyPieces } from "./sharding/pieces.ts";
import type { StepPlan } from "./step-plan.ts";

/** What a step's losses come to, over all micro-batches of all ranks. */
export interface StepLoss {
  /** Mean over the step's units, before the update. */
  readonly loss: number;
  readonly units: number;
  readonly tokens: number;
  /** What the objective measures besides, means over the units. */
  readonly measures: Measures;
  /** What each rank had to do and how long it took, by rank. */
  readonly ranks: readonly RankStep[];
  /** Rows whose loss is not finite, on all ranks. */
  readonly suspects: readonly string[];
}

/** A rank's part of a step. */
export interface RankStep {
  readonly tokens: number;
  /** Seconds until its gradients were there that it did not wait for other ranks in, data included. */
  readonly computing: number;
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
  backward(batches: readonly B[], plan: StepPlan): StepLoss;
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
  backward(batches: readonly B[], plan: StepPlan): StepLoss {
    const measured: Record<string, number> = {};
    const losses = batches.map((batch) => this.#accumulate(batch, plan.units, measured));
    const reached = scope(() => this.#optimizer.parameters().map(({ grad }) => grad !== undefined));
    const told = exchange(this.#communicator, { losses, measured, computing: plan.computing(), reached });
    this.#sumGradients(told.map((rank) => rank.reached));
    return {
      ...stepLoss(told, plan),
      suspects: suspectsOf(this.#communicator, told, () =>
        batches.flatMap((batch, i) =>
          Number.isFinite(losses[i]) ? [] : (this.#objective.suspects?.(batch) ?? batch.samples),
        ),
      ),
    };
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

  /** A weight that has a gradient on one rank has its sum on all; `reached`: by rank, which have one. */
  #sumGradients(reached: readonly (readonly boolean[])[]): void {
    if (this.#communicator.size === 1) return;
    noGrad(() =>
      scope(() => {
        const parameters = this.#optimizer.parameters().filter((_, i) => reached.some((rank) => rank[i]));
        for (const parameter of parameters)
          parameter.grad ??= zeros(parameter.shape, { device: parameter.device });
        this.#communicator.sum(parameters.map(({ grad }) => grad!));
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
    if (areInPieces(saved.weights.keys())) {
      const where = `the checkpoint of step ${saved.step}`;
      copyPieces(saved.weights, this.state().weights, where);
      copyPieces(saved.optimizer, this.#optimizer.state(), where);
      return;
    }
    copyWeights(saved, this.state().weights);
    this.#optimizer.load(saved.optimizer);
  }
}

/** What each rank tells of its part of a step. */
export interface PartLoss {
  /** Of its micro-batches, sums. */
  readonly losses: readonly number[];
  readonly measured: Measures;
  readonly computing: number;
}

/** The parts of all ranks put together. */
export function stepLoss(
  parts: readonly PartLoss[],
  { units, tokens, tokensOf }: StepPlan,
): Omit<StepLoss, "suspects"> {
  const mean = (sum: number): number => sum / units;
  const loss = mean(parts.reduce((sum, { losses }) => sum + losses.reduce((a, b) => a + b, 0), 0));
  const sums = Object.entries(totals(parts.map(({ measured }) => measured)));
  const measures = Object.fromEntries(sums.map(([name, sum]) => [name, mean(sum)]));
  const ranks = parts.map(({ computing }, rank) => ({ computing, tokens: tokensOf[rank]! }));
  return { loss, units, tokens, measures, ranks };
}

/** The rows of all ranks whose loss is not finite, which `own` finds among this one's; all look where one has to. */
export function suspectsOf(
  communicator: Communicator,
  parts: readonly PartLoss[],
  own: () => readonly string[],
): readonly string[] {
  if (parts.every(({ losses }) => losses.every(Number.isFinite))) return [];
  return exchange(communicator, own()).flat();
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
