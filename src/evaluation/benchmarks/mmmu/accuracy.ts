import type { Metric, Outcome } from "../../benchmark.ts";
import { accuracyByLabel } from "../../metrics/index.ts";

/** Accuracy in percent of all questions, disciplines and subjects, and how many answers were guessed because no rule reads them. */
export function accuracyWithGuesses(outcomes: readonly Outcome[]): Metric[] {
  const guessed = outcomes.reduce((sum, { values }) => sum + (values?.["guessed"] ?? 0), 0);
  const [overall, ...slices] = accuracyByLabel(outcomes, { digits: 1, labels: ["discipline", "subject"] });
  return [overall!, { name: "guessed", value: guessed, count: outcomes.length, digits: 0 }, ...slices];
}
