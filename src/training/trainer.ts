import { setImmediate } from "node:timers/promises";
import { alone, type Communicator } from "../distributed/index.ts";
import type { Schedule } from "../optim/index.ts";
import type { Learner, StepLoss } from "./learner.ts";
import type { Batch, BatchSource } from "./objectives/objective.ts";
import { computingFrom, planStep } from "./step-plan.ts";

/** What one step did. */
export interface StepMetrics extends StepLoss {
  /** Steps done, this one included. */
  readonly step: number;
  /** Factor of the schedule on the learning rates. */
  readonly learningRateFactor: number;
  /** Of all gradients together, before clipping. */
  readonly gradientNorm: number;
  readonly seconds: number;
  /** Ids of the step's rows, on all ranks. */
  readonly samples: readonly string[];
  /** Whether a callback left the update out. */
  readonly skipped: boolean;
}

/** A run as its callbacks see it. */
export interface Run {
  readonly totalSteps: number;
  /** Steps done. */
  step: number;
  /** Which of the processes that train together this one is, from 0. */
  readonly rank: number;
}

/** What happens around the steps: logs, evaluations, checkpoints. Called one after another, in the order given. */
export interface Callback {
  begin?(run: Run): void | Promise<void>;
  /** Gradients are there, clipped; the parameters are not yet changed, and will not be if it returns "skip". */
  beforeUpdate?(run: Run, metrics: StepMetrics): undefined | "skip";
  afterStep?(run: Run, metrics: StepMetrics): void | Promise<void>;
  /** After the last step, or the one during which the run was aborted; not after an error. */
  finish?(run: Run): void | Promise<void>;
  /** At the very end, whatever happened. */
  close?(): void;
}

export interface TrainerOptions<B extends Batch> {
  readonly learner: Learner<B>;
  readonly source: BatchSource<B>;
  /** The processes that train together, the learner's; by default this one is alone. */
  readonly communicator?: Communicator;
  readonly schedule: Schedule;
  readonly totalSteps: number;
  /** Steps done before, by the run that is resumed. */
  readonly startStep?: number;
  /** Infinity: no clipping. */
  readonly maxGradientNorm: number;
  readonly callbacks?: readonly Callback[];
  /** Ends the run, on all ranks, after the step that is under way. */
  readonly signal?: AbortSignal;
}

/** The loop of every stage: load → forward → backward → clip → update → callbacks. Returns the number of steps done. */
export async function train<B extends Batch>(options: TrainerOptions<B>): Promise<number> {
  const { learner, source, schedule, totalSteps, callbacks = [], communicator = alone, signal } = options;
  const run: Run = { totalSteps, step: options.startStep ?? 0, rank: communicator.rank };
  const isStopped = (): boolean => signal?.aborted ?? false;
  const isAlone = communicator.size === 1;
  try {
    for (const callback of callbacks) await callback.begin?.(run);
    while (run.step < totalSteps && !(isAlone && isStopped())) {
      // A turn of the event loop: without it a signal would wait for the end of the run.
      await setImmediate();
      const started = performance.now();
      const computing = computingFrom(communicator);
      const before = source.state;
      const batches = await source.next();
      try {
        const plan = planStep(communicator, batches, !isAlone && isStopped(), computing);
        if (plan.isStopped) {
          source.state = before;
          break;
        }
        const learningRateFactor = schedule(run.step);
        const summed = learner.backward(batches, plan);
        const gradientNorm = learner.clip(options.maxGradientNorm);
        const { samples } = plan;
        const metrics = (skipped: boolean): StepMetrics => ({
          ...summed,
          step: run.step,
          learningRateFactor,
          gradientNorm,
          seconds: (performance.now() - started) / 1000,
          samples,
          skipped,
        });
        const computed = metrics(false);
        const skipped = callbacks.map((callback) => callback.beforeUpdate?.(run, computed)).includes("skip");
        if (!skipped) learner.update(learningRateFactor);
        learner.clearGradients();
        run.step++;
        const done = metrics(skipped);
        for (const callback of callbacks) await callback.afterStep?.(run, done);
      } finally {
        for (const batch of batches) batch[Symbol.dispose]();
      }
    }
    for (const callback of callbacks) await callback.finish?.(run);
    return run.step;
  } finally {
    for (const callback of callbacks) callback.close?.();
  }
}
