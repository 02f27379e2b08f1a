import { mulberry32 } from "../../random/index.ts";
import type { Metric, Outcome } from "../benchmark.ts";
import { drawGroups, groupsOf } from "./groups.ts";

export interface BootstrapOptions {
  readonly resamples?: number;
  readonly seed?: number;
}

export interface Bootstrapped {
  /** 95 % intervals by the metric's name; absent where no resample gave the metric a value. */
  readonly intervals: ReadonlyMap<string, readonly [low: number, high: number]>;
  readonly resamples: number;
  readonly seed: number;
  readonly drawn: number;
  readonly groups: number;
}

export const defaultResamples = 1000;

/** Groups that a resample draws: all, or 2,000 of more than 5,000. */
export const drawnOf = (groups: number): number => (groups > 5000 ? 2000 : groups);

/**
 * Percentile bootstrap over groups of questions. For large benchmarks it is the m-out-of-n bootstrap (Bickel, Götze and
 * van Zwet 1997): m groups are drawn and deviations shrunk by √(m/n), so that the work stays bounded.
 */
export function bootstrap(
  outcomes: readonly Outcome[],
  metrics: readonly Metric[],
  aggregate: (outcomes: readonly Outcome[]) => readonly Metric[],
  { resamples = defaultResamples, seed = 0 }: BootstrapOptions = {},
): Bootstrapped {
  const groups = groupsOf(outcomes);
  const drawn = drawnOf(groups.count);
  const deviations = new Map(metrics.map(({ name }) => [name, [] as number[]]));
  const centre = new Map(metrics.map(({ name, value }) => [name, value]));
  const random = mulberry32(seed);
  const sample: Outcome[] = [];
  for (let resample = 0; resample < resamples; resample++) {
    sample.length = 0;
    drawGroups(groups, drawn, random, (index) => sample.push(outcomes[index]!));
    for (const { name, value } of aggregate(sample))
      if (Number.isFinite(value)) deviations.get(name)?.push(value - centre.get(name)!);
  }
  const shrink = Math.sqrt(drawn / groups.count);
  const intervals = new Map<string, [number, number]>();
  for (const [name, found] of deviations) {
    if (found.length === 0) continue;
    const value = centre.get(name)!;
    const [low, high] = middle95(Float64Array.from(found));
    intervals.set(name, [value + low * shrink, value + high * shrink]);
  }
  return { intervals, resamples, seed, drawn, groups: groups.count };
}

/** The 2.5 % and 97.5 % quantiles, interpolated; sorts `values`. */
export function middle95(values: Float64Array): [number, number] {
  values.sort();
  const quantile = (share: number): number => {
    const place = share * (values.length - 1);
    const [below, above] = [values[Math.floor(place)]!, values[Math.ceil(place)]!];
    return below + (above - below) * (place - Math.floor(place));
  };
  return [quantile(0.025), quantile(0.975)];
}
