import { noGrad, scope } from "../../torch/index.ts";
import type { Batch, Objective } from "../objectives/objective.ts";
import type { Callback } from "../trainer.ts";

/** Mean loss over the units of all batches, without gradients. */
export function evaluate<B extends Batch>(objective: Objective<B>, batches: readonly B[]): number {
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  return (
    noGrad(() => batches.reduce((sum, batch) => sum + scope(() => objective.loss(batch).item()), 0)) / units
  );
}

/** Calls `measure` before the first step, every so many steps, and behind the last; not where a run is only stopped. */
export function periodically(every: number, measure: (step: number) => void | Promise<void>): Callback {
  let last = -1;
  const at = async ({ step }: { step: number }) => {
    if (step === last) return;
    last = step;
    await measure(step);
  };
  return {
    begin: async (run) => {
      if (run.step === 0) await at(run);
      last = run.step; // A run that goes on has evaluated the step it goes on from, if that was due.
    },
    afterStep: async (run) => {
      if (run.step % every === 0) await at(run);
    },
    finish: async (run) => {
      if (run.step === run.totalSteps) await at(run);
    },
  };
}
