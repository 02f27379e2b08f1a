import { setImmediate } from "node:timers/promises";
import { type AdamW, clipGradNorm, type Schedule } from "../optim/index.ts";
import { scope } from "../torch/index.ts";
import type { Batch, BatchSource, Objective } from "./objectives/objective.ts";

/** What one step did. */
export interface StepMetrics {
  /** Steps done, this one included. */
  readonly step: number;
  /** Mean over the step's units, before the update. */
  readonly loss: number;
  /** Factor of the schedule on the learning rates. */
  readonly rateFactor: number;
  /** Of all gradients together, before clipping. */
  readonly gradientNorm: number;
  readonly units: number;
  readonly tokens: number;
  readonly seconds: number;
  /** Ids of the step's rows. */
  readonly samples: readonly string[];
  /** Those of them whose loss is not finite. */
  readonly suspects: readonly string[];
  /** Whether a callback left the update out. */
  readonly skipped: boolean;
}

/** A run as its callbacks see it. */
export interface Run {
  readonly totalSteps: number;
  /** Steps done. */
  step: number;
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
  readonly objective: Objective<B>;
  readonly source: BatchSource<B>;
  readonly optimizer: AdamW;
  readonly schedule: Schedule;
  readonly totalSteps: number;
  /** Steps done before, by the run that is resumed. */
  readonly startStep?: number;
  /** Infinity: no clipping. */
  readonly maxGradientNorm: number;
  readonly callbacks?: readonly Callback[];
  /** Ends the run after the step that is under way. */
  readonly signal?: AbortSignal;
}

/** The loop of every stage: load → forward → backward → clip → update → callbacks. Returns the number of steps done. */
export async function train<B extends Batch>(options: TrainerOptions<B>): Promise<number> {
  const { source, optimizer, schedule, totalSteps, callbacks = [], signal } = options;
  const run: Run = { totalSteps, step: options.startStep ?? 0 };
  try {
    for (const callback of callbacks) await callback.begin?.(run);
    while (run.step < totalSteps && !signal?.aborted) {
      // A turn of the event loop: without it a signal would wait for the end of the run.
      await setImmediate();
      const started = performance.now();
      const batches = await source.next();
      try {
        const rateFactor = schedule(run.step);
        const losses = accumulateGradients(options.objective, batches);
        const gradientNorm = clipGradNorm(optimizer.parameters(), options.maxGradientNorm);
        const summary = summarize(options.objective, batches, losses);
        const metrics = (skipped: boolean): StepMetrics => ({
          ...summary,
          step: run.step,
          rateFactor,
          gradientNorm,
          seconds: (performance.now() - started) / 1000,
          skipped,
        });
        const before = metrics(false);
        const skipped = callbacks.map((callback) => callback.beforeUpdate?.(run, before)).includes("skip");
        if (!skipped) optimizer.step(rateFactor);
        optimizer.clearGradients();
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

/**
 * The batches' losses, each a sum. Gradients are averaged over the units of all batches together: the mean of the
 * batches' means would weigh short ones more.
 */
function accumulateGradients<B extends Batch>(objective: Objective<B>, batches: readonly B[]): number[] {
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  return batches.map((batch) =>
    scope(() => {
      const loss = objective.loss(batch);
      const scaled = loss.div(units);
      // Nothing that learns takes part in text alone, where only the projector learns.
      if (scaled.requiresGrad) {
        if (objective.backward) objective.backward(scaled);
        else scaled.backward();
      }
      return loss.item();
    }),
  );
}

function summarize<B extends Batch>(
  objective: Objective<B>,
  batches: readonly B[],
  losses: readonly number[],
) {
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  return {
    loss: losses.reduce((sum, loss) => sum + loss, 0) / units,
    units,
    tokens: batches.reduce((sum, { tokens }) => sum + tokens, 0),
    samples: batches.flatMap(({ samples }) => samples),
    suspects: batches.flatMap((batch, i) =>
      Number.isFinite(losses[i]) ? [] : (objective.suspects?.(batch) ?? batch.samples),
    ),
  };
}
