import { type Retention, type RunState, writeCheckpoint } from "../run-state.ts";
import type { Callback } from "../trainer.ts";

/** Saves every so many steps, and where the run ends or is stopped. */
export function checkpoints(
  folder: string,
  capture: (step: number) => RunState,
  { every, ...retention }: Retention & { readonly every: number },
): Callback {
  let saved = -1;
  const save = ({ step }: { step: number }) => {
    if (step === saved || step === 0) return;
    writeCheckpoint(folder, capture(step), retention);
    saved = step;
  };
  return {
    begin: ({ step }) => {
      saved = step;
    },
    afterStep: (run) => {
      if (run.step % every === 0) save(run);
    },
    finish: save,
  };
}
