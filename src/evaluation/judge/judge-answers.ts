import { LlavaError } from "../../errors.ts";
import type { SamplingOptions } from "../../protocol/index.ts";
import {
  type Answerer,
  type Question,
  type RetryOptions,
  type RunProgress,
  runQuestions,
  type Store,
} from "../../runner/index.ts";
import type { Benchmark, BenchmarkItem, DatasetOptions, JudgeProtocol, Verdict } from "../benchmark.ts";
import type { Judging } from "../results/result.ts";
import { JudgePrompts } from "./judge-prompts.ts";

export interface JudgeOptions {
  readonly benchmark: Benchmark;
  readonly load: DatasetOptions;
  /** The answers to judge, by the question's id. */
  readonly answers: ReadonlyMap<string, string>;
  /** Verdicts that came with the answers: these are not asked for. */
  readonly given?: ReadonlyMap<string, Verdict> | undefined;
  readonly judge: Answerer;
  /** Replies in it are not asked for again. */
  readonly store: Store;
  /** How often the judge is asked for a reply that can be read; 3. */
  readonly rounds?: number | undefined;
  /** Replaces parts of the benchmark's own settings. */
  readonly sampling?: SamplingOptions | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: JudgeProgress) => void) | undefined;
}

/** Of one round: after the first, only replies that could not be read are asked for again. */
export interface JudgeProgress extends RunProgress {
  /** Answers that the judge is asked about in this round. */
  readonly total: number;
  /** Counted from 1. */
  readonly round: number;
}

/** What the judge made of one answer: a line of the file of verdicts. */
export interface JudgedRow {
  readonly id: string;
  readonly verdict?: Verdict;
  /** Its last words. */
  readonly reply?: string;
  /** Why there is no reply. */
  readonly error?: string;
  /** The model that the reply names, or the one that was asked. */
  readonly judge: string;
}

export interface Judged {
  /** In the order of the questions; only answers that needed the judge. */
  readonly rows: readonly JudgedRow[];
  /** Also those that were given. */
  readonly byId: ReadonlyMap<string, Verdict>;
  readonly replies: ReadonlyMap<string, string>;
  /** The model that all replies name, or the one that was asked. */
  readonly judge: string;
  readonly judging: Judging;
}

/**
 * Asks a judge about all answers that no rule settles, by the question's id. A reply that cannot be read is asked for
 * again, as a request of its own, so that all replies are kept and a later run finds the same ones.
 * @throws LlavaError "usage" for a benchmark without a judge; "data" if the replies come from several models
 */
export async function judgeAnswers(options: JudgeOptions): Promise<Judged> {
  const { benchmark, judge, rounds = 3 } = options;
  const protocol = benchmark.judge;
  if (protocol === undefined)
    throw new LlavaError("usage", `${benchmark.name} needs no judge`, {
      hint: `llava eval score ${benchmark.name} scores its answers.`,
    });
  const sampling = { ...protocol.sampling, ...options.sampling };
  const { items, prompts } = await itemsToJudge(options, protocol);
  const rows = new Map<string, JudgedRow>();
  const readInRound: number[] = [];
  const named = new Map<string, number>();
  let open = items;
  for (let round = 0; round < rounds && open.length > 0; round++) {
    const questions = open.map((item): Question => {
      const messages = protocol.prompt(item, options.answers.get(item.id)!, options.answers);
      return { id: item.id, messages, sampling, round };
    });
    const { answers, failures } = await runQuestions({
      ...options,
      questions,
      answerer: judge,
      onProgress: ({ asked, found, failed, usage }) =>
        options.onProgress?.({ asked, found, failed, usage, total: questions.length, round: round + 1 }),
    });
    for (const { id, error } of failures) rows.set(id, { judge: judge.id, ...rows.get(id), id, error });
    const answered = open.filter(({ id }) => answers.has(id));
    open = answered.filter((item) => {
      const { text: reply, served } = answers.get(item.id)!;
      const verdict = protocol.parse(reply, item);
      rows.set(item.id, { id: item.id, ...(verdict && { verdict }), reply, judge: served ?? judge.id });
      if (verdict && served !== undefined) named.set(served, (named.get(served) ?? 0) + 1);
      return verdict === undefined;
    });
    readInRound.push(answered.length - open.length);
  }
  const inOrder = items.flatMap(({ id }) => rows.get(id) ?? []);
  return {
    rows: inOrder,
    byId: new Map([
      ...(options.given ?? []),
      ...inOrder.flatMap(({ id, verdict }) => (verdict ? [[id, verdict] as const] : [])),
    ]),
    replies: new Map(inOrder.flatMap(({ id, reply }) => (reply === undefined ? [] : [[id, reply]]))),
    judge: onlyJudge(named) ?? judge.id,
    judging: {
      requested: judge.id,
      sampling: { ...sampling },
      prompts: prompts.digest(),
      example: prompts.example,
      read: readInRound,
      unreadable: open.length,
      failed: inOrder.filter(({ error }) => error !== undefined).length,
    },
  };
}

async function itemsToJudge(
  { benchmark, load, answers, given }: JudgeOptions,
  protocol: JudgeProtocol<BenchmarkItem>,
): Promise<{ items: BenchmarkItem[]; prompts: JudgePrompts }> {
  const items: BenchmarkItem[] = [];
  const prompts = new JudgePrompts(protocol);
  const isGiven = (item: BenchmarkItem): boolean => {
    const verdict = given?.get(item.id);
    return verdict !== undefined && !(protocol.failed?.(verdict, item) ?? false);
  };
  for await (const item of benchmark.load(load)) {
    prompts.add(item);
    const answer = answers.get(item.id);
    if (answer === undefined || isGiven(item)) continue;
    if (protocol.needed?.(item, answer) ?? true) items.push(item);
  }
  return { items, prompts };
}

/** @throws LlavaError "data" for verdicts of several models, which no score should mix */
function onlyJudge(verdicts: ReadonlyMap<string, number>): string | undefined {
  if (verdicts.size > 1) {
    const found = [...verdicts].map(([name, count]) => `${name} (${count})`).join(", ");
    throw new LlavaError("data", `the replies come from several judges: ${found}`, {
      hint: "Ask for a model by its dated name, with another output folder.",
    });
  }
  return [...verdicts.keys()][0];
}
