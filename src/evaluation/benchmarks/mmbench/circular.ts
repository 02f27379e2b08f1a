import type { Metric, Outcome } from "../../benchmark.ts";
import { percentage } from "../../metrics/index.ts";

interface Question {
  /** The first rotation that was seen: how often it comes is how often the question was drawn. */
  readonly first: string;
  draws: number;
  allRight: boolean;
  readonly labels: readonly string[];
}

/** CircularEval: a question is right if all its rotations are. Vanilla: the answer to the unrotated one is. */
export function aggregateCircular(outcomes: readonly Outcome[]): Metric[] {
  const questions = new Map<string, Question>();
  let unrotated = 0;
  let unrotatedRight = 0;
  for (const { id, group = id, credit, labels = {} } of outcomes) {
    const question = questions.get(group) ?? {
      first: id,
      draws: 0,
      allRight: true,
      labels: Object.values(labels),
    };
    questions.set(group, question);
    if (id === question.first) question.draws++;
    if (credit < 1) question.allRight = false;
    if (id !== group) continue;
    unrotated++;
    unrotatedRight += credit;
  }
  const total = { right: 0, count: 0 };
  const slices = new Map<string, typeof total>();
  for (const { draws, allRight, labels } of questions.values())
    for (const sum of [total, ...labels.map((label) => sliceOf(slices, label))]) {
      sum.count += draws;
      if (allRight) sum.right += draws;
    }
  const metric = (name: string, right: number, count: number): Metric => ({
    name,
    value: percentage(right, count),
    count,
    digits: 2,
  });
  return [
    metric("accuracy", total.right, total.count),
    metric("vanilla", unrotatedRight, unrotated),
    ...[...slices].sort().map(([label, { right, count }]) => metric(`accuracy/${label}`, right, count)),
  ];
}

function sliceOf(slices: Map<string, { right: number; count: number }>, label: string) {
  const slice = slices.get(label) ?? { right: 0, count: 0 };
  slices.set(label, slice);
  return slice;
}
