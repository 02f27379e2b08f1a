import type { Metric, Outcome, Verdict } from "../../benchmark.ts";
import { percentage } from "../../metrics/index.ts";
import { known } from "../../scoring/index.ts";
import { extractByRule, normalizeExtraction } from "./extraction.ts";
import type { MathVistaItem } from "./problem.ts";

/** Between the skills of a problem, in the one label that they share. */
export const skillSeparator = ", ";

/** By the extraction that the file stores or a rule finds; with `compat` by the original's own reading where that is stored. */
export function outcome(item: MathVistaItem, answer: string, verdict: Verdict = {}): Outcome {
  const truth = known(item.answer, item.id);
  const { extraction: judged, trueFalse: stored, prediction } = verdict;
  const extraction = judged === undefined ? extractByRule(answer, item) : String(judged);
  const parsed = extraction === undefined ? undefined : normalizeExtraction(extraction, item);
  const computed = parsed === truth ? 1 : 0;
  const isStored = item.compat && stored !== undefined;
  return {
    id: item.id,
    credit: isStored ? Number(stored) : computed,
    parsed:
      isStored && prediction !== undefined ? String(prediction) : extraction === "" ? undefined : parsed,
    truth,
    ...(stored !== undefined && { values: { storedOtherwise: Number(stored) === computed ? 0 : 1 } }),
    ...(item.labels && { labels: item.labels }),
  };
}

/**
 * Accuracy in percent, of all problems and by each label; a problem counts under each of its skills. Where true_false
 * is stored, also how often it is not what the extraction gives.
 */
export function aggregate(outcomes: readonly Outcome[]): readonly Metric[] {
  const sums = new Map([["accuracy", { credit: 0, count: 0 }]]);
  for (const { credit, labels = {} } of outcomes) {
    const { skills = "", ...others } = labels;
    const slices = [
      ...Object.values(others),
      ...skills.split(skillSeparator).filter((skill) => skill !== ""),
    ];
    for (const name of ["accuracy", ...slices.map((slice) => `accuracy/${slice}`)]) {
      const sum = sums.get(name) ?? { credit: 0, count: 0 };
      sums.set(name, { credit: sum.credit + credit, count: sum.count + 1 });
    }
  }
  const stored = outcomes.flatMap(({ values }) => values?.["storedOtherwise"] ?? []);
  const otherwise: Metric = {
    name: "stored-otherwise",
    value: stored.reduce((sum, one) => sum + one, 0),
    count: stored.length,
    digits: 0,
  };
  const accuracies = [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { credit, count }]) => ({
      name,
      value: percentage(credit, count),
      count,
      digits: name === "accuracy" ? 1 : 2,
    }));
  return stored.length === 0 ? accuracies : [...accuracies, otherwise];
}
