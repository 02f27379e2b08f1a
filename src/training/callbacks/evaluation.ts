import type { Callback } from "../trainer.ts";

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
