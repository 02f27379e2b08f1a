import type { Progress, ProgressFactory } from "../../setup/index.ts";
import type { Callback } from "../trainer.ts";

/** A bar over the steps, with the loss behind it. */
export function progressBar(progress: ProgressFactory): Callback {
  let bar: Progress | undefined;
  return {
    begin: ({ totalSteps, step }) => {
      bar = progress({ label: "training", total: totalSteps, unit: "steps" });
      bar.update(step);
    },
    afterStep: ({ step }, { loss, tokens, seconds }) =>
      bar?.update(step, `loss ${loss.toFixed(3)}  ${Math.round(tokens / seconds)} tokens/s`),
    close: () => bar?.stop(),
  };
}
