import { mulberry32, seedOfText, shuffled } from "../../random/index.ts";
import type { QuestionType } from "./question.ts";
import type { AskedQuestion } from "./yes-no.ts";

/** The largest share of one answer among the questions of a wording: how much may be had without the image. */
const largestShare: Readonly<Partial<Record<QuestionType, number>>> = {
  action: 0.25,
  object: 0.34,
  count: 0.4,
  color: 0.25,
  place: 0.25,
  sport: 0.25,
  who: 0.3,
};
/** Wordings with fewer questions are balanced together with the other rare ones of their type. */
const rare = 12;

/** Drops questions, by chance, until no answer has more than its share. */
export function balanceAnswers(questions: readonly AskedQuestion[], seed: number): AskedQuestion[] {
  const wordings = grouped(questions, ({ text }) => text);
  const groups = grouped(questions, ({ text, type }) => (wordings.get(text)!.length < rare ? type : text));
  return [...groups].flatMap(([name, group]) => {
    const answers = grouped(group, ({ answer }) => answer);
    const share = largestShare[group[0]!.type] ?? 1;
    const counts = [...answers.values()].map(({ length }) => length);
    const most = largestCount(counts, share);
    return [...answers.values()].flatMap((same) =>
      shuffled(same, mulberry32(seedOfText(seed, name))).slice(0, most),
    );
  });
}

/** The largest m with m ≤ share · Σ min(count, m), and not less than two. */
function largestCount(counts: readonly number[], share: number): number {
  for (let most = Math.max(...counts); most > 2; most--) {
    const total = counts.reduce((sum, count) => sum + Math.min(count, most), 0);
    if (most <= share * total) return most;
  }
  return 2;
}

function grouped<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
