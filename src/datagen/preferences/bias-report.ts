import { wilsonInterval } from "../../evaluation/index.ts";
import type { ReplyClass } from "../instruct/reply-class.ts";
import type { Comparison, Judged, JudgedSample } from "./judge.ts";
import type { Label } from "./labels.ts";
import { agreement } from "./labels.ts";
import type { Paired, QuestionClass } from "./pairs.ts";
import { isUsable, wordsOf } from "./samples.ts";

/** A share with the ends of its 95 % interval. */
export interface Share {
  readonly share: number;
  readonly of: number;
  readonly low: number;
  readonly high: number;
}

/** What may be wrong with a judge and with the pairs it leads to. */
export interface BiasReport {
  readonly questions: Readonly<Partial<Record<QuestionClass, number>>>;
  /** Answers by class; of equal ones all but the first are "equal". */
  readonly answers: Readonly<Partial<Record<ReplyClass | "equal", number>>>;
  /** Answers with each score, rounded; empty where answers were compared. */
  readonly scores: Readonly<Partial<Record<string, number>>>;
  readonly unjudged: number;
  /** Of comparisons of two answers to a question: those without a better one. */
  readonly ties: Share | null;
  /** Of those of unlike length with a better one: those that the longer one wins. */
  readonly longerWins: Share | null;
  /** Of answers that were shown in both orders: those where the place decides. */
  readonly flips: Share | null;
  /** Of comparisons of the judge's own answers with others': those that its own wins. */
  readonly ownWins: Share | null;
  /** Of pairs that people labelled: those that they order alike. */
  readonly agreement: Share | null;
  readonly pairs: {
    readonly count: number;
    readonly skewed: number;
    readonly chosenWords: number | null;
    readonly rejectedWords: number | null;
    /** Unsupported words or phrases an answer, by the judge. */
    readonly chosenUnsupported: number | null;
    readonly rejectedUnsupported: number | null;
  };
  readonly judge: string;
  readonly judgeIsAsked: boolean;
  /** Why these pairs should not be trained on; empty where nothing is wrong. */
  readonly warnings: readonly string[];
  readonly cost: number;
}

interface Gate {
  readonly longerWins: number;
  readonly flips: number;
}

export interface ReportContext {
  readonly judge: string;
  readonly models: readonly string[];
  readonly labels: readonly Label[];
  readonly gate: Gate;
  readonly cost: number;
}

/** Two answers to one question, and who won. */
interface Contest {
  readonly question: string;
  readonly one: JudgedSample;
  readonly other: JudgedSample;
  readonly winner: "one" | "other" | "tie";
}

export function biasReport(
  judged: readonly Judged[],
  { pairs, classes, skewed }: Paired,
  { judge, models, labels, gate, cost }: ReportContext,
): BiasReport {
  const samples = judged.flatMap((asked) => asked.samples);
  const contests = judged.flatMap(contestsOf);
  const decided = contests.filter(({ winner }) => winner !== "tie");
  const unlike = decided.filter(({ one, other }) => wordsOf(one.text) !== wordsOf(other.text));
  const own = decided.filter(({ one, other }) => (one.model === judge) !== (other.model === judge));
  const comparisons = judged.flatMap((asked) =>
    asked.comparisons.map((one) => ({ question: asked.id, ...one })),
  );
  const turned = comparisons.filter(({ verdicts }) =>
    verdicts.every((verdict) => verdict && verdict !== "tie"),
  );
  const longerWins = shareOf(
    unlike,
    ({ one, other, winner }) => wordsOf(one.text) > wordsOf(other.text) === (winner === "one"),
  );
  const flips = shareOf(turned, ({ verdicts: [first, second] }) => first !== second);
  return {
    questions: counted([...classes.values()]),
    answers: counted(samples.map((one) => (one.isRepeated ? "equal" : one.class))),
    scores: counted(
      samples.flatMap(({ judgement }) => (judgement ? [String(Math.round(judgement.score))] : [])),
    ),
    unjudged:
      samples.filter(({ unjudged }) => unjudged !== undefined).length +
      comparisons.filter(({ verdicts }) => verdicts.includes(undefined)).length,
    ties: shareOf(contests, ({ winner }) => winner === "tie"),
    longerWins,
    flips,
    ownWins: shareOf(own, ({ one, winner }) => (one.model === judge) === (winner === "one")),
    agreement: agreement(pairs, labels),
    pairs: {
      count: pairs.length,
      skewed,
      chosenWords: mean(pairs.map(({ chosen }) => wordsOf(chosen.text))),
      rejectedWords: mean(pairs.map(({ rejected }) => wordsOf(rejected.text))),
      chosenUnsupported: mean(pairs.flatMap(({ chosen }) => chosen.judgement?.unsupported.length ?? [])),
      rejectedUnsupported: mean(
        pairs.flatMap(({ rejected }) => rejected.judgement?.unsupported.length ?? []),
      ),
    },
    judge,
    judgeIsAsked: models.includes(judge),
    warnings: [
      ...(longerWins && longerWins.low > gate.longerWins
        ? [`the longer answer wins ${percent(longerWins)}: the judge, or the rule, scores length`]
        : []),
      ...(flips && flips.low > gate.flips
        ? [`${percent(flips)} are decided by which answer is shown first`]
        : []),
    ],
    cost,
  };
}

const percent = ({ share, of }: Share): string => `${(100 * share).toFixed(0)} % of ${of} comparisons`;

/** Each two of a question's answers that have scores, or the two orders of each comparison. */
function contestsOf({ id, samples, comparisons }: Judged): Contest[] {
  const shown = comparisons.flatMap(({ first, second, verdicts }: Comparison) =>
    verdicts.flatMap((verdict): Contest[] =>
      verdict
        ? [
            {
              question: id,
              one: samples[first]!,
              other: samples[second]!,
              winner: verdict === "first" ? "one" : verdict === "second" ? "other" : "tie",
            },
          ]
        : [],
    ),
  );
  const scored = samples.filter((sample) => isUsable(sample) && sample.judgement);
  return [
    ...shown,
    ...scored.flatMap((one, place) =>
      scored.slice(place + 1).map((other): Contest => {
        const gap = one.judgement!.score - other.judgement!.score;
        return { question: id, one, other, winner: gap > 0 ? "one" : gap < 0 ? "other" : "tie" };
      }),
    ),
  ];
}

/** The interval counts questions: comparisons of one question hang together. */
function shareOf<T extends { readonly question: string }>(
  all: readonly T[],
  is: (one: T) => boolean,
): Share | null {
  if (all.length === 0) return null;
  const share = all.filter(is).length / all.length;
  const [low, high] = wilsonInterval(share, new Set(all.map(({ question }) => question)).size);
  return { share, of: all.length, low, high };
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;

function counted<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {};
  for (const name of [...names].sort()) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
