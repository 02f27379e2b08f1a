import { mean, sum } from "d3-array";
import type { Point } from "./series.ts";
import { twoSidedStudentT } from "./student-t.ts";

/** A least-squares line through points, with what is known of its certainty. */
export interface Regression {
  readonly count: number;
  readonly slope: number;
  readonly intercept: number;
  /** Pearson's correlation; undefined where all y are equal, and for two points, of which it says nothing. */
  readonly r: number | undefined;
  /** 95 % interval of the slope; undefined for two points. */
  readonly slopeInterval: readonly [low: number, high: number] | undefined;
  /** Ends of the 95 % confidence band of the line's height at x; undefined for two points. */
  readonly band: (x: number) => readonly [low: number, high: number] | undefined;
}

/** Undefined for fewer than two points, or if all x are equal. */
export function linearRegression(points: readonly Point[]): Regression | undefined {
  const count = points.length;
  const [meanX, meanY] = [mean(points, ([x]) => x) ?? 0, mean(points, ([, y]) => y) ?? 0];
  const spreadX = sum(points, ([x]) => (x - meanX) ** 2);
  const spreadY = sum(points, ([, y]) => (y - meanY) ** 2);
  if (count < 2 || spreadX === 0) return;
  const together = sum(points, ([x, y]) => (x - meanX) * (y - meanY));
  const slope = together / spreadX;
  const intercept = meanY - slope * meanX;
  const r = spreadY === 0 || count < 3 ? undefined : together / Math.sqrt(spreadX * spreadY);
  if (count === 2) return { count, slope, intercept, r, slopeInterval: undefined, band: () => undefined };
  const residual = Math.sqrt(sum(points, ([x, y]) => (y - intercept - slope * x) ** 2) / (count - 2));
  const reach = twoSidedStudentT(0.95, count - 2) * residual;
  const slopeReach = reach / Math.sqrt(spreadX);
  return {
    count,
    slope,
    intercept,
    r,
    slopeInterval: [slope - slopeReach, slope + slopeReach],
    band: (x) => {
      const height = intercept + slope * x;
      const half = reach * Math.sqrt(1 / count + (x - meanX) ** 2 / spreadX);
      return [height - half, height + half];
    },
  };
}
