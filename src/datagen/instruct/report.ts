import { mulberry32, shuffled } from "../../random/index.ts";
import type { Turn } from "./kind.ts";
import { saysNo, saysYes } from "./negatives.ts";
import type { Outcome } from "./outcomes.ts";
import { isRow, type ReplyClass } from "./reply-class.ts";
import { nearDuplicates, selfBleu } from "./similarity.ts";

/** A kind's rows in numbers. */
export interface KindQuality {
  readonly rows: number;
  /** Mean. */
  readonly turns: number;
  readonly answerWords: { readonly mean: number; readonly median: number; readonly longest: number };
  /** Mean. */
  readonly questionWords: number;
}

export interface QualityReport {
  readonly kinds: Readonly<Record<string, KindQuality>>;
  /** Items of each kind by class; the counts of a kind sum up to its items. */
  readonly classes: Readonly<Record<string, Readonly<Partial<Record<ReplyClass, number>>>>>;
  /** Beginnings of questions, the most frequent first. */
  readonly questionStarts: readonly (readonly [string, number])[];
  /** Of the distribution of those beginnings, in bits. */
  readonly questionEntropy: number;
  /** Pairs of neighbouring words in answers that are different, of all. */
  readonly distinctPairs: number;
  readonly yesNo: { readonly yes: number; readonly no: number; readonly shareOfQuestions: number };
  readonly duplicates: {
    /** Questions that came before, of all; with images they may still be right. */
    readonly questions: number;
    readonly ofQuestions: number;
    /** Answers that share at least 0.8 of their runs of five words with another. */
    readonly nearAnswers: number;
    /** How well the answers of a sample predict each other, from 0 to 1 (BLEU-4). */
    readonly selfBleu: number | null;
  };
  /** Shares of answers. */
  readonly habits: { readonly hedges: number; readonly inTheImage: number; readonly additionally: number };
  /** Of replies whose items have boxes: those of COCO's classes that answers name. */
  readonly grounding: Readonly<
    Record<
      string,
      {
        readonly replies: number;
        readonly ungrounded: number;
        readonly mentioned: number;
        readonly unsupported: number;
      }
    >
  >;
  readonly cost: { readonly total: number; readonly aRow: number | null };
}

/** What the rows are like, to be read before a model learns them. `added` are turns beside the teacher's. */
export function qualityReport(
  found: readonly Outcome[],
  added: ReadonlyMap<string, readonly Turn[]>,
  cost: number,
): QualityReport {
  const rows = found.filter(({ class: name }) => isRow(name));
  const turnsOf = (outcome: Outcome): readonly Turn[] => [...outcome.turns, ...(added.get(outcome.id) ?? [])];
  const turns = rows.flatMap(turnsOf);
  const names = [...new Set(found.map(({ kind }) => kind.name))];
  const byKind = <T>(of: (name: string) => T): Record<string, T> =>
    Object.fromEntries(names.map((name) => [name, of(name)]));
  return {
    kinds: byKind((name) => kindQuality(rows.filter(({ kind }) => kind.name === name).map(turnsOf))),
    classes: byKind((name) =>
      countOf(found.filter(({ kind }) => kind.name === name).map((one) => one.class)),
    ),
    ...textQuality(turns),
    grounding: byKind((name) => {
      const held = found.flatMap(({ kind, grounding }) =>
        kind.name === name && grounding ? [grounding] : [],
      );
      return {
        replies: held.length,
        ungrounded: held.filter(({ unsupported }) => unsupported.length > 0).length,
        mentioned: sum(held.map(({ mentioned }) => mentioned.length)),
        unsupported: sum(held.map(({ unsupported }) => unsupported.length)),
      };
    }),
    cost: { total: cost, aRow: rows.length === 0 ? null : cost / rows.length },
  };
}

/** What concerns texts alone, of rows from anywhere. */
export function textQuality(
  turns: readonly Turn[],
): Pick<
  QualityReport,
  "questionStarts" | "questionEntropy" | "distinctPairs" | "yesNo" | "duplicates" | "habits"
> {
  const questions = turns.map(({ question }) => bare(question));
  const answers = turns.map(({ answer }) => answer);
  const byStart = Map.groupBy(questions, (text) => wordsOf(text).slice(0, 2).join(" "));
  const starts = [...byStart]
    .map(([start, { length }]) => [start, length] as const)
    .filter(([start]) => start !== "")
    .sort(([a, one], [b, other]) => other - one || (a < b ? -1 : 1));
  const all = sum(starts.map(([, count]) => count));
  const pairs = answers.flatMap((text) =>
    wordsOf(text)
      .map((word, index, words) => `${word} ${words[index + 1] ?? ""}`)
      .slice(0, -1),
  );
  const [yes, no] = [answers.filter(saysYes).length, answers.filter(saysNo).length];
  const share = (pattern: RegExp): number =>
    ratio(answers.filter((text) => pattern.test(text)).length, answers.length);
  return {
    questionStarts: starts.slice(0, 40),
    questionEntropy: -sum(starts.map(([, count]) => (count / all) * Math.log2(count / all))),
    distinctPairs: ratio(new Set(pairs).size, pairs.length),
    yesNo: { yes, no, shareOfQuestions: ratio(yes + no, turns.length) },
    duplicates: {
      questions: questions.length - new Set(questions.map((text) => text.toLowerCase())).size,
      ofQuestions: questions.length,
      nearAnswers: nearDuplicates(answers.map(wordsOf)),
      selfBleu: selfBleu(shuffled(answers, mulberry32(1)).slice(0, 500).map(wordsOf)),
    },
    habits: {
      hedges: share(/\b(possibl[ey]|likely|appears?)\b/i),
      inTheImage: share(/\bin the image\b/i),
      additionally: share(/\badditionally\b/i),
    },
  };
}

const bare = (question: string): string => question.replaceAll("<image>", "").trim();
const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}'’]+/gu) ?? [];
const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
const ratio = (part: number, all: number): number => (all === 0 ? 0 : part / all);

function countOf<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}

function kindQuality(rows: readonly (readonly Turn[])[]): KindQuality {
  const turns = rows.flat();
  const lengths = turns.map(({ answer }) => answer.split(/\s+/).length).sort((a, b) => a - b);
  return {
    rows: rows.length,
    turns: ratio(turns.length, rows.length),
    answerWords: {
      mean: ratio(sum(lengths), lengths.length),
      median: lengths[Math.floor(lengths.length / 2)] ?? 0,
      longest: lengths.at(-1) ?? 0,
    },
    questionWords: ratio(sum(turns.map(({ question }) => bare(question).split(/\s+/).length)), turns.length),
  };
}
