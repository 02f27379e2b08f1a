import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { LlavaError } from "../errors.ts";
import {
  type Answerer,
  AnswerStore,
  inShard,
  mergeStores,
  type Question,
  type RetryOptions,
  type RunProgress,
  type RunReport,
  runQuestions,
  type Shard,
} from "../runner/index.ts";
import { type AnswerRow, Answers, writeAnswers } from "./answers/index.ts";
import type { Benchmark, BenchmarkItem, DatasetOptions } from "./benchmark.ts";
import { flattenPrompt } from "./prompting/index.ts";
import type { RunFacts } from "./results/index.ts";

/** The files of a benchmark's run in its folder. */
export interface RunFiles {
  /** Every request and its answer, appended as they come. */
  readonly store: string;
  /** LLaVA's answer file, in the order of the benchmark. */
  readonly answers: string;
  /** A judge's replies, appended as they come, and what was read from them. */
  readonly replies: string;
  readonly verdicts: string;
  readonly result: string;
}

export function runFiles(folder: string, benchmark: Benchmark, split?: string): RunFiles {
  const name =
    split === undefined || split === benchmark.splits[0] ? benchmark.name : `${benchmark.name}-${split}`;
  const at = (ending: string): string => join(folder, `${name}.${ending}`);
  return {
    store: at("requests.jsonl"),
    answers: at("answers.jsonl"),
    replies: at("replies.jsonl"),
    verdicts: at("verdicts.jsonl"),
    result: at("json"),
  };
}

export interface AnswerBenchmarkOptions {
  readonly benchmark: Benchmark;
  readonly load: DatasetOptions;
  readonly answerer: Answerer;
  readonly files: RunFiles;
  /** Takes the first questions only. */
  readonly limit?: number | undefined;
  /** Asks a part of the questions and writes nothing but the store of that part. */
  readonly shard?: Shard | undefined;
  readonly retry?: RetryOptions | undefined;
  readonly signal?: AbortSignal | undefined;
  /** @param total questions that this run is about */
  readonly onProgress?: ((progress: RunProgress, total: number) => void) | undefined;
}

export interface Answered {
  readonly report: RunReport;
  /** What scoring takes. */
  readonly answers: Answers;
  readonly run: RunFacts;
}

/**
 * Asks a benchmark's questions and writes LLaVA's answer file. Stores of shards that lie beside the run's own are merged
 * into it first. What is answered already is not asked again. @throws LlavaError "usage" where questions are about videos
 */
export async function answerBenchmark(options: AnswerBenchmarkOptions): Promise<Answered> {
  const { benchmark, answerer, files, limit, shard, load } = options;
  requireAnswerable(benchmark);
  const path = shard === undefined ? files.store : shardStore(files.store, shard);
  if (shard === undefined) await mergeShards(files.store);
  const items = () => firstOf(benchmark, limit).load(load);
  const isOurs = ({ id }: BenchmarkItem): boolean => shard === undefined || inShard(id, shard);
  let total = 0;
  for await (const item of items()) if (isOurs(item)) total++;
  const prompts = new Map<string, string>();
  const report = await ask(path, options, questionsOf(benchmark, items(), isOurs, prompts), total);
  if (shard === undefined) await writeAnswers(files.answers, rowsOf(prompts, report));
  const answers = new Answers([files.answers]);
  answers.model = answerer.id;
  for (const { id, text } of report.answers.values()) answers.add({ id, text: text.trim() });
  for (const { id, error } of report.failures) answers.failures.set(id, error);
  const served = [...report.answers.values()].flatMap((answer) => answer.served ?? []);
  return {
    report,
    answers,
    run: {
      identity: answerer.identity,
      served: [...new Set(served)].sort(),
      limit: limit ?? null,
      usage: report.usage,
    },
  };
}

async function ask(
  path: string,
  { answerer, retry, signal, onProgress }: AnswerBenchmarkOptions,
  questions: AsyncIterable<Question>,
  total: number,
): Promise<RunReport> {
  await using store = await AnswerStore.open(path);
  return await runQuestions({
    questions,
    answerer,
    store,
    retry,
    signal,
    onProgress: (progress) => onProgress?.(progress, total),
  });
}

/** The benchmark with its first questions only. */
export const firstOf = (benchmark: Benchmark, limit: number | undefined): Benchmark =>
  limit === undefined
    ? benchmark
    : {
        ...benchmark,
        async *load(options) {
          let taken = 0;
          if (limit > 0)
            for await (const item of benchmark.load(options)) {
              yield item;
              if (++taken === limit) return;
            }
        },
      };

/** The questions, whose texts are put into `prompts` as they are taken. */
async function* questionsOf(
  { name, prompt, sampling }: Benchmark,
  items: AsyncIterable<BenchmarkItem>,
  isOurs: (item: BenchmarkItem) => boolean,
  prompts: Map<string, string>,
): AsyncGenerator<Question> {
  for await (const item of items) {
    if (!isOurs(item)) continue;
    const messages = prompt(item);
    if (messages.length === 0)
      throw new LlavaError("data", `${name}: question ${item.id} has no image`, {
        hint: "Files of predictions hold no images; point --data to the dataset's original files.",
      });
    prompts.set(item.id, flattenPrompt(messages).text);
    yield { id: item.id, messages, sampling };
  }
}

function* rowsOf(
  prompts: ReadonlyMap<string, string>,
  { answers }: Pick<RunReport, "answers">,
): Generator<AnswerRow> {
  for (const [id, prompt] of prompts) {
    const answer = answers.get(id);
    if (answer === undefined) continue;
    const { key, text, model } = answer;
    yield { id, prompt, text: text.trim(), model, answerId: key.slice(0, 22) };
  }
}

/** "pope.requests.jsonl" → "pope.requests.0-of-4.jsonl" */
const shardStore = (store: string, { index, count }: Shard): string =>
  store.replace(/\.jsonl$/, `.${index}-of-${count}.jsonl`);

async function mergeShards(store: string): Promise<void> {
  const folder = dirname(resolve(store));
  if (!existsSync(folder)) return;
  const prefix = basename(store).replace(/jsonl$/, "");
  const shards = (await readdir(folder))
    .filter((name) => name.startsWith(prefix) && /^\d+-of-\d+\.jsonl$/.test(name.slice(prefix.length)))
    .map((name) => join(folder, name));
  if (shards.length > 0) await mergeStores(shards.sort(), store);
}

/** @throws LlavaError "usage" for a benchmark whose questions no model here can read */
export function requireAnswerable({ name, asksAboutVideos }: Benchmark): void {
  if (!asksAboutVideos) return;
  throw new LlavaError("usage", `${name} asks about videos, which no model here reads`, {
    hint: `Have another program answer its questions, then score the file: llava eval score ${name} --predictions FILE.`,
  });
}

/** @throws LlavaError "usage" for a split that the benchmark does not have */
export function requireSplit({ name, splits }: Benchmark, split: string | undefined): void {
  if (split === undefined || splits.includes(split)) return;
  throw new LlavaError("usage", `${name} has no split "${split}"`, {
    hint: `Its splits: ${splits.join(", ")}.`,
  });
}
