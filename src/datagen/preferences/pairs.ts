import type { Comparison, Judged, JudgedSample } from "./judge.ts";
import { isUsable, wordsOf } from "./samples.ts";

export interface PairRule {
  /** The better answer's score is at least so much above the other's. */
  readonly gap: number;
  /** If given, the better one reaches it and the other does not (LLaVA-Hound's 3). */
  readonly threshold?: number | undefined;
  readonly pairsPerQuestion: number;
  readonly pairsPerItem: number;
  /** Most words that the two may differ by. */
  readonly lengthGap?: number | undefined;
  /** Most that the mean lengths of both sides may differ by, as a share of them. */
  readonly balance: number;
}

export interface Pair {
  /** Unlike any other's. */
  readonly id: string;
  readonly asked: Judged;
  readonly chosen: JudgedSample;
  readonly rejected: JudgedSample;
}

/** What came of a question: exactly one of these. */
export type QuestionClass =
  | "paired"
  /** Fewer than two answers that are different and can be used. */
  | "too-few"
  | "unjudged"
  /** Its answers are all good, all bad, or too near to each other. */
  | "no-gap"
  /** It has pairs, but others of its image came first, or they are too unlike in length. */
  | "left-out";

export interface Paired {
  readonly pairs: readonly Pair[];
  /** By the question's id. */
  readonly classes: ReadonlyMap<string, QuestionClass>;
  /** Pairs that were dropped so that both sides are of one length. */
  readonly skewed: number;
}

type Found = Omit<Pair, "id"> & { readonly gap: number };

/** Pairs of a better and a worse answer, no answer twice, both sides alike in their mean length. */
export function pairUp(judged: readonly Judged[], rule: PairRule): Paired {
  const classes = new Map<string, QuestionClass>();
  const found: Found[] = [];
  for (const asked of judged) {
    const usable = asked.samples.filter(isUsable);
    const isJudged =
      asked.comparisons.some(({ verdicts }) => verdicts.every((verdict) => verdict)) ||
      usable.filter(({ judgement }) => judgement).length >= 2;
    const pairs = asked.comparisons.length > 0 ? preferred(asked, rule) : apart(asked, usable, rule);
    found.push(...pairs);
    classes.set(
      asked.id,
      usable.length < 2 ? "too-few" : !isJudged ? "unjudged" : pairs.length === 0 ? "no-gap" : "left-out",
    );
  }
  const perItem = Map.groupBy(found, ({ asked }) => asked.item.id);
  const kept = [...perItem.values()].flatMap((pairs) =>
    pairs.length <= rule.pairsPerItem
      ? pairs
      : pairs.toSorted((a, b) => b.gap - a.gap).slice(0, rule.pairsPerItem),
  );
  const balanced = balance(kept, rule.balance);
  const numbers = new Map<string, number>();
  const pairs = balanced.map(({ gap: _, ...pair }): Pair => {
    const number = numbers.get(pair.asked.id) ?? 0;
    numbers.set(pair.asked.id, number + 1);
    classes.set(pair.asked.id, "paired");
    return { ...pair, id: `${pair.asked.id}-p${number}` };
  });
  return { pairs, classes, skewed: kept.length - balanced.length };
}

/** Two answers whose scores are apart, the furthest first, among those the most alike in length. */
function apart(asked: Judged, usable: readonly JudgedSample[], rule: PairRule): Found[] {
  const candidates = usable.flatMap((chosen) =>
    usable.flatMap((rejected): Found[] => {
      const [better, worse] = [chosen.judgement?.score, rejected.judgement?.score];
      if (better === undefined || worse === undefined || better - worse < rule.gap || better <= worse)
        return [];
      const { threshold } = rule;
      if (threshold !== undefined && !(better >= threshold && worse < threshold)) return [];
      return isNear(chosen, rejected, rule) ? [{ asked, chosen, rejected, gap: better - worse }] : [];
    }),
  );
  return disjoint(
    candidates.toSorted((a, b) => b.gap - a.gap || Math.abs(lengthGap(a)) - Math.abs(lengthGap(b))),
    rule.pairsPerQuestion,
  );
}

/** Those of which both orders say the same. */
const preferred = (asked: Judged, rule: PairRule): Found[] =>
  disjoint(
    asked.comparisons.flatMap((comparison): Found[] => {
      const winner = agreedWinner(comparison);
      if (winner === undefined) return [];
      const chosen = asked.samples[winner]!;
      const rejected = asked.samples[comparison.first + comparison.second - winner]!;
      return isNear(chosen, rejected, rule) ? [{ asked, chosen, rejected, gap: 0 }] : [];
    }),
    rule.pairsPerQuestion,
  );

/** The place that wins in both orders. */
function agreedWinner({ first, second, verdicts: [one, other] }: Comparison): number | undefined {
  if (one !== other || one === undefined || one === "tie") return undefined;
  return one === "first" ? first : second;
}

const isNear = (chosen: JudgedSample, rejected: JudgedSample, { lengthGap: most }: PairRule): boolean =>
  most === undefined || Math.abs(wordsOf(chosen.text) - wordsOf(rejected.text)) <= most;

const lengthGap = ({ chosen, rejected }: Pick<Pair, "chosen" | "rejected">): number =>
  wordsOf(chosen.text) - wordsOf(rejected.text);

function disjoint(candidates: readonly Found[], most: number): Found[] {
  const used = new Set<JudgedSample>();
  const taken: Found[] = [];
  for (const pair of candidates) {
    if (taken.length >= most) break;
    if (used.has(pair.chosen) || used.has(pair.rejected)) continue;
    used.add(pair.chosen).add(pair.rejected);
    taken.push(pair);
  }
  return taken;
}

/** Drops the pairs that are most unlike in length until both sides are alike in the mean (after RLAIF-V's data engine). */
function balance<P extends Pick<Pair, "chosen" | "rejected">>(pairs: readonly P[], most: number): P[] {
  let difference = 0;
  let words = 0;
  for (const pair of pairs) {
    difference += lengthGap(pair);
    words += (wordsOf(pair.chosen.text) + wordsOf(pair.rejected.text)) / 2;
  }
  const sign = Math.sign(difference);
  const bySkew = [...pairs.keys()].sort((a, b) => sign * (lengthGap(pairs[b]!) - lengthGap(pairs[a]!)));
  const dropped = new Set<number>();
  for (const place of bySkew) {
    if (Math.abs(difference) <= most * words) break;
    const pair = pairs[place]!;
    difference -= lengthGap(pair);
    words -= (wordsOf(pair.chosen.text) + wordsOf(pair.rejected.text)) / 2;
    dropped.add(place);
  }
  return pairs.filter((_, place) => !dropped.has(place));
}
