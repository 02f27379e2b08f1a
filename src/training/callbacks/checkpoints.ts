import type { Callback } from "../trainer.ts";

/** Saves every so many steps, and where the run ends or is stopped. */
export function checkpoints(write: (step: number) => void, every: number): Callback {
  let saved = -1;
  const save = ({ step }: { step: number }) => {
    if (step === saved || step === 0) return;
    write(step);
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
