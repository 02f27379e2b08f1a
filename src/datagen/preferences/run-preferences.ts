import type { Usage } from "../../protocol/index.ts";
import {
  type Answerer,
  type AskOptions,
  askPlan,
  type BatchEndpoint,
  enterPlan,
  Ledger,
  type LedgerEntry,
  type RequestPlan,
} from "../../runner/index.ts";
import { charactersOf, type EstimatedKind } from "../instruct/estimate.ts";
import type { AskedQuestion, GivenQuestion } from "./asked.ts";
import {
  type Answered,
  comparing,
  type Judged,
  JudgePlan,
  type Judging,
  judgedByRule,
  resultOf,
  scoring,
  type TaskResult,
} from "./judge.ts";
import { scorePrompt } from "./judge-prompts.ts";
import type { Rule } from "./rule-judge.ts";
import {
  givenSamples,
  markRepeated,
  readSamples,
  type Sample,
  SamplePlan,
  type SamplingPlan,
} from "./samples.ts";

/** Someone who is asked, and how. */
export interface Asked {
  readonly answerer: Answerer;
  readonly batches?: BatchEndpoint | undefined;
  readonly asking: AskOptions;
}

export type Judge =
  | { readonly by: "rule"; readonly name: string; readonly rule: Rule }
  | {
      readonly by: "score" | "compare";
      readonly asked: Asked;
      readonly maxTokens: number;
      /** Times that it is asked for a reply that can be read. */
      readonly rounds: number;
      /** Of a question: twos of answers that are compared. */
      readonly each: number;
      readonly seed: number;
    };

export interface PreferenceRun {
  /** Path of the ledger, which holds answers and judgements. */
  readonly ledger: string;
  readonly questions: readonly GivenQuestion[];
  readonly sampling: SamplingPlan;
  /** Those whose answers are compared; not asked where questions bring theirs. */
  readonly samplers: readonly Asked[];
  readonly judge: Judge;
  /** Told of each pass over a plan before it begins. */
  readonly onPass?: (what: "answers" | "judgements", plan: RequestPlan, round: number) => void;
}

/** What replies took, for an estimate. */
type Seen = EstimatedKind["seen"][number];

export interface PreferenceResult {
  readonly judged: readonly Judged[];
  readonly seen: { readonly answers: readonly Seen[]; readonly judgements: readonly Seen[] };
  /** Why asking ended before all was asked. */
  readonly stopped?: unknown;
}

/**
 * Answers of models to questions, and what a judge makes of them. Where asking ends early (a budget, an abort), what is
 * there is returned with the reason; the same run goes on from there.
 */
export async function runPreferences(run: PreferenceRun): Promise<PreferenceResult> {
  const seen = { answers: [] as Seen[], judgements: [] as Seen[] };
  let stopped: unknown;
  const samples = run.questions.map(({ given }): Sample[] => (given ? givenSamples(given) : []));
  const isGiven = run.questions.some(({ given }) => given);
  for (const sampler of isGiven ? [] : run.samplers) {
    const plan = new SamplePlan(run.questions, run.sampling);
    run.onPass?.("answers", plan, 0);
    using ledger = new Ledger(run.ledger);
    stopped ??= await asked(plan, ledger, sampler, stopped !== undefined);
    for (const [index, found] of readSamples(plan, ledger, sampler.answerer.id).entries())
      samples[index]!.push(...found);
    seen.answers.push(...seenIn(plan, ledger.entries()));
  }
  const answered = run.questions.map(
    ({ given: _, ...question }, index): Answered => ({ ...question, samples: markRepeated(samples[index]!) }),
  );
  if (run.judge.by === "rule") return { judged: judgedByRule(answered, run.judge.rule), seen, stopped };
  const judging = run.judge.by === "score" ? scoring(answered) : comparing(answered, run.judge);
  const results = new Map<string, TaskResult>();
  stopped ??= await askJudge(run, run.judge, judging, {
    results,
    seen: seen.judgements,
    isOver: stopped !== undefined,
  });
  return { judged: judging.collect(results), seen, stopped };
}

async function askJudge(
  { ledger: path, onPass }: PreferenceRun,
  { asked: judge, maxTokens, rounds }: Exclude<Judge, { by: "rule" }>,
  { tasks }: Judging,
  found: { readonly results: Map<string, TaskResult>; readonly seen: Seen[]; readonly isOver: boolean },
): Promise<unknown> {
  let open = tasks;
  let stopped: unknown;
  for (let round = 0; round < rounds && open.length > 0; round++) {
    const plan = new JudgePlan(open, { maxTokens, round });
    onPass?.("judgements", plan, round);
    using ledger = new Ledger(path);
    stopped ??= await asked(plan, ledger, judge, found.isOver || stopped !== undefined);
    const again: (typeof open)[number][] = [];
    for (const entry of ledger.entries()) {
      const task = open[entry.sequence]!;
      const result = resultOf(entry);
      if (result === undefined) continue;
      found.results.set(task.id, result);
      if ("reply" in result && !task.isReadable(result.reply)) again.push(task);
    }
    found.seen.push(...seenIn(plan, ledger.entries()));
    open = again;
  }
  return stopped;
}

/** Asks what a ledger lacks of a plan, unless the run is over. Returns what ended it. */
async function asked(
  plan: RequestPlan,
  ledger: Ledger,
  { answerer, batches, asking }: Asked,
  isOver: boolean,
): Promise<unknown> {
  await enterPlan(ledger, plan, answerer);
  if (isOver || plan.count === 0) return undefined;
  // Answers to short questions are alike, and scores all the more.
  const sameReplies = Number.POSITIVE_INFINITY;
  return await askPlan({ ...asking, sameReplies, ledger, plan, answerer, batches }).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const seenIn = (plan: RequestPlan, entries: Iterable<LedgerEntry>): Seen[] =>
  [...entries].flatMap(({ sequence, reply }): Seen[] => {
    const usage: Usage | undefined = reply?.usage;
    return usage && usage.promptTokens > 0
      ? [{ characters: charactersOf(plan.requestAt(sequence)), usage }]
      : [];
  });

/** Tokens of a judge's reply, where none is there to tell. */
const usualJudgement = 80;

/** What all questions will take, from the replies to some of them that are there. */
export function preferenceKinds(
  { sampling, samplers, judge }: Omit<PreferenceRun, "ledger" | "questions">,
  questions: readonly AskedQuestion[],
  { seen }: Pick<PreferenceResult, "seen">,
): EstimatedKind[] {
  const plan = new SamplePlan(questions, sampling);
  const sum = (count: number, of: (place: number) => number): number =>
    Array.from({ length: count }, (_, place) => of(place)).reduce((all, value) => all + value, 0);
  const replies = seen.answers.map(({ usage }) => usage.completionTokens);
  const usual =
    replies.length > 0 ? replies.reduce((a, b) => a + b, 0) / replies.length : sampling.maxTokens / 2;
  const kinds: EstimatedKind[] = [
    {
      kind: "answers",
      requests: plan.count * samplers.length,
      characters: samplers.length * sum(plan.count, (place) => charactersOf(plan.requestAt(place))),
      usualReply: usual,
      price: samplers[0]?.asking.price,
      seen: seen.answers,
    },
  ];
  if (judge.by === "rule") return kinds;
  const perQuestion = judge.by === "score" ? sampling.samples * samplers.length : 2 * judge.each;
  // Answers that are not there yet count by their usual length.
  const answer = " ".repeat(Math.round(4 * usual * (judge.by === "score" ? 1 : 2)));
  return [
    ...kinds,
    {
      kind: "judgements",
      requests: perQuestion * questions.length,
      characters:
        perQuestion *
        sum(questions.length, (place) => charactersOf({ messages: scorePrompt(questions[place]!, answer) })),
      usualReply: usualJudgement,
      price: judge.asked.asking.price,
      seen: seen.judgements,
    },
  ];
}
