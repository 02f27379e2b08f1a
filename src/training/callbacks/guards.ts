import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { Callback, Run, StepMetrics } from "../trainer.ts";
import { median } from "./median.ts";

/** What guards remember; plain JSON. */
export const guardStateSchema = z.object({
  /** Losses and gradient norms of the last steps that were not left out, oldest first. */
  losses: z.array(z.number()).readonly(),
  gradientNorms: z.array(z.number()).readonly(),
  /** Steps left out: in all, and one after another up to now. */
  skipped: z.int().min(0),
  inARow: z.int().min(0),
});
export type GuardState = Readonly<z.output<typeof guardStateSchema>>;

const remembered = 32;
/** Steps before which nothing counts as a spike: a loss falls fast at first. */
const known = 8;

/**
 * Looks at a step before it changes the weights: loss or gradient that is not finite, or far above those of the steps
 * before, ends the run or is left out, as the recipe says, naming the step's rows.
 */
export class Guards implements Callback {
  readonly #options: Recipe["guards"];
  readonly #report: (line: string) => void;
  state: GuardState = { losses: [], gradientNorms: [], skipped: 0, inARow: 0 };

  constructor(options: Recipe["guards"], report: (line: string) => void) {
    this.#options = options;
    this.#report = report;
  }

  beforeUpdate(_: Run, metrics: StepMetrics): undefined | "skip" {
    const { loss, gradientNorm } = metrics;
    const { losses, gradientNorms, skipped, inARow } = this.state;
    const harm = this.#harm(metrics);
    if (harm === undefined) {
      const add = (values: readonly number[], value: number) => [...values, value].slice(-remembered);
      this.state = {
        losses: add(losses, loss),
        gradientNorms: add(gradientNorms, gradientNorm),
        skipped,
        inARow: 0,
      };
      return undefined;
    }
    const { action, what } = harm;
    const { step, samples, suspects } = metrics;
    const rows = (suspects.length > 0 ? suspects : samples).join(", ");
    const message = `step ${step + 1}: ${what}; rows ${rows}`;
    if (action === "stop") throw new LlavaError("data", message, { hint });
    this.state = { ...this.state, skipped: skipped + 1, inARow: inARow + 1 };
    if (this.state.inARow > this.#options.maxSkips)
      throw new LlavaError("data", `${message}; ${inARow} steps before it were left out as well`, { hint });
    this.#report(`left out ${message} (${this.state.skipped} so far)`);
    return "skip";
  }

  #harm({ loss, gradientNorm }: StepMetrics): { what: string; action: "stop" | "skip" } | undefined {
    const { nonFinite, onSpike, lossSpike, gradientSpike } = this.#options;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm))
      return { action: nonFinite, what: `loss ${loss}, gradient norm ${gradientNorm}` };
    for (const [name, value, before, factor] of [
      ["loss", loss, this.state.losses, lossSpike],
      ["gradient norm", gradientNorm, this.state.gradientNorms, gradientSpike],
    ] as const) {
      const usual = median(before);
      if (factor === undefined || before.length < known || value <= factor * usual) continue;
      return {
        action: onSpike,
        what: `${name} ${value.toPrecision(4)}, the median before ${usual.toPrecision(4)}`,
      };
    }
    return undefined;
  }
}

const hint = "Look at these rows; otherwise lower the learning rate or compute in float32.";
