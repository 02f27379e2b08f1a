import { LlavaError } from "../errors.ts";

/** Factor on the learning rates for the update that follows `step` updates. */
export type Schedule = (step: number) => number;

export type ScheduleOptions = {
  /** Number of updates of the whole run. */
  readonly total: number;
} & ({ readonly warmupSteps?: number } | { readonly warmupRatio: number });

/** From 0 to 1 in a line, then to 0 along half a cosine (Loshchilov and Hutter, 2017). */
export const cosineSchedule = (options: ScheduleOptions): Schedule =>
  warmed(options, (progress) => Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress))));

/** From 0 to 1 in a line, then to 0 in a line. */
export const linearSchedule = (options: ScheduleOptions): Schedule =>
  warmed(options, (progress) => Math.max(0, 1 - progress));

/** From 0 to 1 in a line, then 1. */
export const constantSchedule = (options: ScheduleOptions): Schedule => warmed(options, () => 1);

/** A warm-up ratio is rounded up to whole steps. */
function warmed(options: ScheduleOptions, decay: (progress: number) => number): Schedule {
  const { total } = options;
  const warmup =
    "warmupRatio" in options ? Math.ceil(total * options.warmupRatio) : (options.warmupSteps ?? 0);
  if (!(total >= 1 && warmup >= 0))
    throw new LlavaError(
      "config",
      `a schedule needs a total ≥ 1 and a warm-up ≥ 0, got ${total} and ${warmup}`,
    );
  return (step) => (step < warmup ? step / warmup : decay((step - warmup) / Math.max(1, total - warmup)));
}
