import type { Progress, ProgressFactory } from "../../setup/index.ts";
import type { Callback } from "../trainer.ts";
import { memory } from "./log.ts";

/** A bar over the steps; behind it loss, gradient norm, peak of the learning rates now, speed, and memory with its peak. */
export function progressBar(progress: ProgressFactory, learningRate: number): Callback {
  let bar: Progress | undefined;
  return {
    begin: ({ totalSteps, step }) => {
      bar = progress({ label: "training", total: totalSteps, unit: "steps" });
      bar.update(step, undefined, step);
    },
    afterStep: ({ step }, { loss, gradientNorm, learningRateFactor, tokens, seconds }) => {
      const { mebibytes, peakMebibytes } = memory();
      const parts = [
        `loss ${loss.toFixed(3)}`,
        `gradient ${gradientNorm.toPrecision(3)}`,
        `rate ${(learningRate * learningRateFactor).toExponential(1)}`,
        `${Math.round(tokens / seconds)} tokens/s`,
        `${gibibytes(mebibytes)} GiB (peak ${gibibytes(peakMebibytes)})`,
      ];
      bar?.update(step, parts.join("  "));
    },
    close: () => bar?.stop(),
  };
}

const gibibytes = (mebibytes: number): string => (mebibytes / 1024).toFixed(1);
