import { LlavaError } from "../../../errors.ts";
import type { Recipe } from "../../recipe/recipe.ts";
import type { PreparedObjective } from "../objective.ts";
import type { PairBatch } from "./pair-batch.ts";

/** Steps after the warm-up in which rewards may still be nothing. */
const patience = 8;
/** Rewards and margins below which the policy counts as its reference. */
const unmoved = 1e-4;
/** Nats a token by which chosen answers may get less likely before it is told. */
const fallen = 0.1;

/**
 * Ends a run whose policy does not leave its reference after the warm-up, and tells once when even the chosen answers have
 * become much less likely than they were.
 */
export function watchPreference(
  { schedule }: Pick<Recipe, "schedule">,
  beta: number,
  report: (line: string) => void,
): NonNullable<PreparedObjective<PairBatch>["watch"]> {
  let isTold = false;
  let moved = false;
  return ({ step, totalSteps, measures }) => {
    const of = (name: string): number => measures[name] ?? 0;
    const [chosen, margin] = [of("rewards/chosen"), of("rewards/margins")];
    moved ||= Math.max(Math.abs(chosen), Math.abs(margin)) >= unmoved;
    if (!moved && step >= Math.ceil(schedule.warmupRatio * totalSteps) + patience)
      throw new LlavaError(
        "config",
        `step ${step}: rewards and margins are still below ${unmoved}: the policy is its reference`,
        { hint: "Look whether anything learns (llava plan), and at the learning rate." },
      );
    const shift = chosen / beta / of("lengths/chosen");
    if (isTold || !(shift < -fallen)) return;
    isTold = true;
    report(
      `step ${step}: chosen answers are ${(-shift).toFixed(2)} nats a token less likely than for the reference; ` +
        "objective.sftWeight, the loss apo_zero, a larger beta or fewer epochs hold against it",
    );
  };
}
