import type { Message } from "../../protocol/index.ts";
import { mulberry32, seedOfText, shuffled } from "../../random/index.ts";
import type { LedgerEntry, RequestPlan } from "../../runner/index.ts";
import type { AskedQuestion } from "./asked.ts";
import {
  comparePrompt,
  type Judgement,
  type Preference,
  readJudgement,
  readPreference,
  scorePrompt,
} from "./judge-prompts.ts";
import type { Rule } from "./rule-judge.ts";
import { isUsable, type Sample } from "./samples.ts";

/** A question with all its answers. */
export interface Answered extends AskedQuestion {
  readonly samples: readonly Sample[];
}

/** An answer and what became of it before its judge. */
export interface JudgedSample extends Sample {
  readonly judgement?: Judgement | undefined;
  /** Why it has none, though it could have been judged. */
  readonly unjudged?: string | undefined;
}

/** Two answers that were shown in both orders; "first" is the one of the lower place, whatever the order. */
export interface Comparison {
  readonly first: number;
  readonly second: number;
  /** Undefined where a reply could not be read. */
  readonly verdicts: readonly [Preference | undefined, Preference | undefined];
}

export interface Judged extends AskedQuestion {
  readonly samples: readonly JudgedSample[];
  /** Where answers were compared, not scored. */
  readonly comparisons: readonly Comparison[];
}

/** One thing that a judge is asked. */
export interface JudgeTask {
  readonly id: string;
  readonly messages: readonly Message[];
  /** Whether a reply can be read. */
  readonly isReadable: (reply: string) => boolean;
}

export interface JudgePlanOptions {
  readonly maxTokens: number;
  /** A reply that cannot be read is asked for again in the next one. */
  readonly round: number;
}

export class JudgePlan implements RequestPlan {
  readonly tasks: readonly JudgeTask[];
  readonly round: number;
  readonly #maxTokens: number;

  constructor(tasks: readonly JudgeTask[], { maxTokens, round }: JudgePlanOptions) {
    this.tasks = tasks;
    this.round = round;
    this.#maxTokens = maxTokens;
  }

  get count(): number {
    return this.tasks.length;
  }

  idAt(place: number): string {
    return this.tasks[place]!.id;
  }

  requestAt(place: number) {
    const { messages } = this.tasks[place]!;
    return { messages, sampling: { temperature: 0, maxTokens: this.#maxTokens, seed: this.round } };
  }
}

/** What became of a task. */
export type TaskResult = { readonly reply: string } | { readonly why: string };

/** What a judge is asked about answers, and what its replies make of them. */
export interface Judging {
  readonly tasks: readonly JudgeTask[];
  /** @param results by the task's id */
  collect(results: ReadonlyMap<string, TaskResult>): Judged[];
}

/** A score for each answer that a pair may have. */
export function scoring(answered: readonly Answered[]): Judging {
  const isReadable = (reply: string): boolean => readJudgement(reply) !== undefined;
  const idOf = (id: string, place: number): string => `${id}-j${place}`;
  return {
    tasks: answered.flatMap((asked) =>
      asked.samples.flatMap((sample, place) =>
        isUsable(sample)
          ? [{ id: idOf(asked.id, place), messages: scorePrompt(asked, sample.text), isReadable }]
          : [],
      ),
    ),
    collect: (results) =>
      answered.map((asked) => ({
        ...asked,
        comparisons: [],
        samples: asked.samples.map((sample, place): JudgedSample => {
          const result = results.get(idOf(asked.id, place));
          if (result === undefined) return sample;
          const judgement = "reply" in result ? readJudgement(result.reply) : undefined;
          return judgement
            ? { ...sample, judgement }
            : { ...sample, unjudged: "why" in result ? result.why : "unreadable" };
        }),
      })),
  };
}

/** Some answers of each question two by two, each two in both orders: what wins by its place does not win. */
export function comparing(
  answered: readonly Answered[],
  { each, seed }: { readonly each: number; readonly seed: number },
): Judging {
  const isReadable = (reply: string): boolean => readPreference(reply) !== undefined;
  const drawn = answered.map((asked) => {
    const usable = [...asked.samples.keys()].filter((place) => isUsable(asked.samples[place]!));
    const order = shuffled(usable, mulberry32(seedOfText(seed, `compared ${asked.id}`)));
    return Array.from(
      { length: Math.min(each, Math.floor(order.length / 2)) },
      (_, number) => [order[2 * number]!, order[2 * number + 1]!].sort((a, b) => a - b) as [number, number],
    );
  });
  const idOf = (id: string, first: number, second: number): string => `${id}-c${first}-${second}`;
  return {
    tasks: answered.flatMap((asked, index) =>
      drawn[index]!.flatMap((two) =>
        [two, [...two].reverse() as [number, number]].map(([first, second]) => ({
          id: idOf(asked.id, first, second),
          messages: comparePrompt(asked, asked.samples[first]!.text, asked.samples[second]!.text),
          isReadable,
        })),
      ),
    ),
    collect: (results) =>
      answered.map((asked, index) => {
        const verdict = (first: number, second: number): Preference | undefined => {
          const result = results.get(idOf(asked.id, first, second));
          return result && "reply" in result ? readPreference(result.reply) : undefined;
        };
        return {
          ...asked,
          comparisons: drawn[index]!.map(([first, second]): Comparison => {
            const turned = verdict(second, first);
            return { first, second, verdicts: [verdict(first, second), turned && otherWay[turned]] };
          }),
        };
      }),
  };
}

const otherWay: Readonly<Record<Preference, Preference>> = { first: "second", second: "first", tie: "tie" };

/** Scores by a rule: nobody is asked. */
export const judgedByRule = (answered: readonly Answered[], rule: Rule): Judged[] =>
  answered.map((asked) => ({
    ...asked,
    comparisons: [],
    samples: asked.samples.map((sample): JudgedSample => {
      if (!isUsable(sample)) return sample;
      const judgement = rule(asked, sample.text);
      return judgement ? { ...sample, judgement } : { ...sample, unjudged: "no evidence" };
    }),
  }));

/** Of an entry that was asked for; undefined while it was not. */
export function resultOf({ state, reply, error }: LedgerEntry): TaskResult | undefined {
  if (reply !== undefined) return { reply: reply.text };
  return state === "failed" ? { why: error ?? "failed" } : undefined;
}
