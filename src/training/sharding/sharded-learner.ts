import { exchange } from "../../distributed/index.ts";
import { type AdamW, clipGradNorm } from "../../optim/index.ts";
import { scope } from "../../torch/index.ts";
import {
  type Learner,
  type LearnerState,
  type SavedState,
  type StepLoss,
  stepLoss,
  suspectsOf,
} from "../learner.ts";
import type { Batch, Objective } from "../objectives/objective.ts";
import type { StepPlan } from "../step-plan.ts";
import { copyPieces } from "./pieces.ts";
import type { ShardedWeights } from "./sharded-weights.ts";

/**
 * Every rank has a part of what learns, with its moments and gradients. All ranks go through the same number of micro-batches,
 * one that has fewer through idle ones.
 */
export class ShardedLearner<B extends Batch> implements Learner<B> {
  readonly #objective: Objective<B>;
  readonly #weights: ShardedWeights;
  readonly #optimizer: AdamW;

  /** The optimizer is that of the weights' groups. */
  constructor(objective: Objective<B>, weights: ShardedWeights, optimizer: AdamW) {
    this.#objective = objective;
    this.#weights = weights;
    this.#optimizer = optimizer;
  }

  backward(batches: readonly B[], plan: StepPlan): StepLoss {
    const measured: Record<string, number> = {};
    const losses = this.#through(batches, plan, (batch) =>
      scope(() => {
        const loss = this.#objective.loss(batch, (sums) => {
          for (const [name, sum] of Object.entries(sums)) measured[name] = (measured[name] ?? 0) + sum;
        });
        this.#objective.backward!(loss.div(plan.units));
        return loss.item();
      }),
    ).slice(0, batches.length);
    const { all } = this.#weights.ranks;
    const told = exchange(all, {
      ...{ losses, measured, computing: plan.computing() },
      reached: this.#weights.reached(),
    });
    this.#weights.giveGradients(new Set(told.flatMap(({ reached }) => reached)));
    const isSuspect = (at: number): boolean => told.some(({ losses }) => !Number.isFinite(losses[at] ?? 0));
    const suspects = suspectsOf(all, told, () =>
      this.#through(batches, plan, (batch, at) => {
        if (!isSuspect(at)) return [];
        const found = this.#objective.suspects?.(batch) ?? batch.samples;
        return Number.isFinite(losses[at] ?? 0) ? [] : found;
      }).flat(),
    );
    this.#weights.closeAll();
    return { ...stepLoss(told, plan), suspects };
  }

  /** Does something with as many micro-batches as any rank has. */
  #through<R>(batches: readonly B[], plan: StepPlan, body: (batch: B, at: number) => R): R[] {
    return Array.from({ length: plan.batches }, (_, at) => {
      const own = batches[at];
      if (own !== undefined) return body(own, at);
      using idle = this.#objective.idle!();
      return body(idle, at);
    });
  }

  clip(maxNorm: number): number {
    return clipGradNorm(this.#optimizer.parameters(), maxNorm, this.#weights.ranks.within);
  }

  update(learningRateFactor: number): void {
    this.#optimizer.step(learningRateFactor);
  }

  clearGradients(): void {
    this.#optimizer.clearGradients();
    this.#weights.clearGradients();
  }

  /** Of this rank's pieces. */
  state(): LearnerState {
    const weights = new Map(this.#optimizer.groups.flatMap(({ parameters }) => [...parameters]));
    return { weights, optimizer: this.#optimizer.state() };
  }

  load({ step, weights, optimizer }: SavedState): void {
    this.#weights.closeAll();
    const where = `the checkpoint of step ${step}`;
    copyPieces(weights, this.state().weights, where);
    copyPieces(optimizer, this.#optimizer.state(), where);
  }
}
