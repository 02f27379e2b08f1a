import type { Metric, Outcome } from "../../benchmark.ts";
import { percentage } from "../../metrics/index.ts";
import { roundHalfEven } from "../../python/index.ts";
import type { JudgementItem } from "./load.ts";

/** The original takes nothing but "Yes" and "No"; without `compat` the first word counts, in any case. */
function read(answer: string, compat: boolean): "yes" | "no" | undefined {
  const said = compat ? answer : /^[\s"'*]*(yes|no)\b/i.exec(answer)?.[1];
  if (said === undefined || (compat && said !== "Yes" && said !== "No")) return undefined;
  return said.toLowerCase() === "yes" ? "yes" : "no";
}

export function judge({ id, labels = {}, truth, image, compat }: JudgementItem, answer: string): Outcome {
  const parsed = read(answer, compat);
  const values = { saidNo: parsed === "no" ? 1 : 0, isNo: truth === "no" ? 1 : 0, compat: compat ? 1 : 0 };
  return { id, labels, parsed, truth, group: image, values, credit: parsed === truth ? 1 : 0 };
}

const names = ["accuracy", "f1", "precision", "recall"] as const;

/**
 * Precision, recall and F1 are those of saying no: it is what hallucinating models fail to say. With `compat`, F1 is made
 * of rounded percentages and lessened by what keeps the original from dividing by zero, most for existence.
 */
function measure(outcomes: readonly Outcome[], slice: string) {
  let [right, saidNo, isNo, rightNo] = [0, 0, 0, 0];
  for (const { credit, values = {} } of outcomes) {
    right += credit;
    saidNo += values["saidNo"] ?? 0;
    isNo += values["isNo"] ?? 0;
    rightNo += (values["saidNo"] ?? 0) * (values["isNo"] ?? 0);
  }
  const precision = percentage(rightNo, saidNo);
  const recall = percentage(rightNo, isNo);
  const [p, r] = [roundHalfEven(precision, 1) / 100, roundHalfEven(recall, 1) / 100];
  const compat = (outcomes[0]?.values?.["compat"] ?? 0) > 0;
  return {
    accuracy: percentage(right, outcomes.length),
    f1: compat
      ? percentage(2 * p * r, p + r + (slice === "existence" ? 1e-3 : 1e-4))
      : percentage(2 * rightNo, saidNo + isNo),
    precision,
    recall,
  };
}

/** Of all questions, of each dimension, and of each kind of attribute. */
export function aggregateJudgements(outcomes: readonly Outcome[]): Metric[] {
  const slices = new Map<string, Outcome[]>();
  for (const outcome of outcomes)
    for (const value of Object.values(outcome.labels ?? {})) {
      const slice = slices.get(value);
      if (slice === undefined) slices.set(value, [outcome]);
      else slice.push(outcome);
    }
  const metrics = (slice: string, some: readonly Outcome[]): Metric[] => {
    const measured = measure(some, slice);
    return names.map((name) => ({
      name: slice === "" ? name : `${name}/${slice}`,
      value: measured[name],
      count: some.length,
      digits: 1,
    }));
  };
  const sorted = [...slices].sort(([first], [second]) => (first < second ? -1 : 1));
  return [...metrics("", outcomes), ...sorted.flatMap(([value, some]) => metrics(value, some))];
}
