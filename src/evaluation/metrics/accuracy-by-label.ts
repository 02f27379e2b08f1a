import type { Metric, Outcome } from "../benchmark.ts";
import { percentage } from "./percentage.ts";

export interface AccuracyOptions {
  /** "accuracy" when left out. */
  readonly name?: string;
  /** Digits after the point; 2 when left out. */
  readonly digits?: number;
  /** The labels to split by; all when left out. */
  readonly labels?: readonly string[];
}

interface Sum {
  credit: number;
  count: number;
}

const add = (sum: Sum, credit: number): void => {
  sum.credit += credit;
  sum.count++;
};

/**
 * Mean credit in percent, of all outcomes and then of each value of each label: "accuracy", "accuracy/adversarial".
 * Different labels have different values.
 */
export function accuracyByLabel(outcomes: readonly Outcome[], options: AccuracyOptions = {}): Metric[] {
  const { name = "accuracy", digits = 2 } = options;
  const total: Sum = { credit: 0, count: 0 };
  const slices = new Map<string, Sum>();
  for (const { credit, labels } of outcomes) {
    add(total, credit);
    // Resamples come here millions of times: without lists of keys.
    for (const label in labels) {
      if (options.labels && !options.labels.includes(label)) continue;
      const value = labels[label]!;
      const sum = slices.get(value);
      if (sum === undefined) slices.set(value, { credit, count: 1 });
      else add(sum, credit);
    }
  }
  const metric = (slice: string, { credit, count }: Sum): Metric => ({
    name: slice,
    value: percentage(credit, count),
    count,
    digits,
  });
  // Sorted, so that resampled outcomes give the same order.
  const values = [...slices.keys()].sort();
  return [metric(name, total), ...values.map((value) => metric(`${name}/${value}`, slices.get(value)!))];
}
