import { LlavaError } from "../../errors.ts";
import type { Callback } from "../trainer.ts";

/** Stops a run whose loss or gradient is not finite before it spoils the weights, naming the rows of that step. */
export const lossGuard = (): Callback => ({
  beforeUpdate: (_, { step, loss, gradientNorm, samples }) => {
    if (Number.isFinite(loss) && Number.isFinite(gradientNorm)) return;
    throw new LlavaError(
      "data",
      `step ${step + 1}: loss ${loss}, gradient norm ${gradientNorm}; rows ${samples.join(", ")}`,
      { hint: "Look at these rows; otherwise lower the learning rate or compute in float32." },
    );
  },
});
