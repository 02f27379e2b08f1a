import type { Metric, Outcome, Verdict } from "../../benchmark.ts";
import { known, percentage } from "../../parsing/index.ts";
import { extractByRule, normalizeExtraction } from "./extraction.ts";
import type { MathVistaItem } from "./problem.ts";

/** Between the skills of a problem, in the one label that they share. */
export const skillSeparator = ", ";

export function outcome(item: MathVistaItem, answer: string, verdict?: Verdict): Outcome {
  const truth = known(item.answer, item.id);
  const judged = verdict?.["extraction"];
  const extraction = judged === undefined ? extractByRule(answer, item) : String(judged);
  const parsed = extraction === undefined ? undefined : normalizeExtraction(extraction, item);
  return {
    id: item.id,
    credit: parsed === truth ? 1 : 0,
    parsed: extraction === "" ? undefined : parsed,
    truth,
    ...(item.labels && { labels: item.labels }),
  };
}

/** Accuracy in percent, of all problems and by each label; a problem counts under each of its skills. */
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
  return [...sums]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { credit, count }]) => ({
      name,
      value: percentage(credit, count),
      count,
      digits: name === "accuracy" ? 1 : 2,
    }));
}
