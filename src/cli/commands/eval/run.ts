import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { Answered, Benchmark, Judged, Result, RunFiles } from "../../../evaluation/index.ts";
import type { Answerer, Shard } from "../../../runner/index.ts";
import type { Progress } from "../../../setup/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addEndpointOptions,
  type EndpointFlags,
  type JudgePromptFlags,
  judgePromptOption,
  openEndpoint,
  retryOf,
  showCost,
} from "../../frame/endpoint-options.ts";
import { addModelOptions, count, type ModelFlags } from "../../frame/model-options.ts";
import { askJudge } from "./ask-judge.ts";
import { Incomplete } from "./incomplete.ts";

interface RunFlags extends ModelFlags, EndpointFlags, JudgePromptFlags {
  readonly model?: string;
  readonly endpoint?: string;
  readonly data: string;
  readonly output: string;
  readonly split?: string;
  readonly limit?: number;
  readonly shard?: string;
  readonly compat?: boolean;
  readonly batchSize?: number;
  readonly judge: boolean;
  readonly judgeEndpoint?: string;
  readonly judgeModel?: string;
  readonly judgeKeyVariable: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description("Ask a model a benchmark's questions and score its answers; a run that was stopped goes on.")
    .argument("<benchmark...>", "names, as llava eval list prints them")
    .option("--model <name>", "built-in name, folder or hub name; with --endpoint, the model's name there")
    .option("--endpoint <url>", "ask an OpenAI-compatible endpoint instead of a model on this machine")
    .requiredOption(
      "-d, --data <folder>",
      "the dataset's original files, or folders of them named for the benchmarks",
    )
    .requiredOption("-o, --output <folder>", "where answers and results go, and where a stopped run goes on")
    .option("--split <name>", "the benchmark's first one if left out")
    .option("--compat", "reproduce bugs of the original that published scores depend on")
    .option("--limit <n>", "ask the first questions only", count)
    .option("--shard <i/n>", "ask part i of n only; a run without it merges all parts in the folder")
    .option(
      "--batch-size <n>",
      "questions that a model on this machine answers in step (default: 8 in float32, else 1: coarser types let a batch change answers)",
      count,
    )
    .option("--judge-endpoint <url>", "the judge of answers that no rule can read")
    .option("--judge-model <name>", "its name there (default: the judge of published scores)")
    .addOption(judgePromptOption())
    .option(
      "--judge-key-variable <name>",
      "environment variable that holds the judge's key",
      "OPENAI_API_KEY",
    )
    .option("--no-judge", "count answers that no rule can read as wrong")
    .option("--json", "print the results as JSON");
  addEndpointOptions(command);
  addModelOptions(command, "as stored; for built-in models float32")
    .addHelpText(
      "after",
      `
Examples:
  llava eval run pope --model llava-smol-135m --data pope --output runs/smol
  llava eval run gqa textvqa --endpoint http://localhost:30000/v1 --model llava-1.5-7b --data eval --output runs/7b`,
    )
    .action((names: readonly string[], flags: RunFlags) => run(names, flags, context));
}

async function run(names: readonly string[], flags: RunFlags, context: CommandContext): Promise<void> {
  const { parseShard } = await import("../../../runner/index.ts");
  const { findBenchmark, requireAnswerable, requireSplit, withJudgePrompt } = await import(
    "../../../evaluation/index.ts"
  );
  const benchmarks = (await Promise.all(names.map(findBenchmark))).map((benchmark) =>
    withJudgePrompt(benchmark, flags.judgePrompt),
  );
  for (const benchmark of benchmarks) {
    requireAnswerable(benchmark);
    requireSplit(benchmark, flags.split);
  }
  const shard = flags.shard === undefined ? undefined : parseShard(flags.shard);
  using closing = new DisposableStack();
  const answerer = await openAnswerer(flags, context, closing);
  const { showResult } = await import("./show-result.ts");
  const incomplete = new Incomplete();
  const results: Omit<Result, "outcomes">[] = [];
  for (const benchmark of benchmarks) {
    const result = await runOne({ benchmark, answerer, shard, flags, context }, incomplete);
    if (result === undefined) continue;
    results.push(result);
    if (!flags.json)
      console.log(`${results.length > 1 ? "\n" : ""}${showResult(result, benchmark.published)}`);
  }
  if (flags.json) console.log(JSON.stringify(names.length === 1 ? (results[0] ?? null) : results, null, 2));
  incomplete.check();
}

async function openAnswerer(
  flags: RunFlags,
  context: CommandContext,
  closing: DisposableStack,
): Promise<Answerer> {
  const { endpoint, model } = flags;
  if (model === undefined)
    throw new LlavaError("usage", "there is no --model", {
      hint: "Name a model of this machine, or with --endpoint URL one of the endpoint's.",
    });
  if (endpoint !== undefined) return await openEndpoint(endpoint, model, flags);
  const { LocalAnswerer } = await import("../../frame/local-answerer.ts");
  const { builtinModels } = await import("../../../setup/index.ts");
  // Scores must not depend on the processor, as the fastest type does; and in bfloat16 the company of a batch decides close calls.
  const { weights } = flags;
  const isBuiltin = Object.hasOwn(builtinModels, model) && weights !== "bf16";
  const dtype = flags.dtype ?? (isBuiltin ? "float32" : undefined);
  const batchSize = flags.batchSize ?? (dtype === "float32" && weights === undefined ? 8 : 1);
  const type = dtype ?? (weights === "bf16" ? "bfloat16" : "the type that the weights are stored in");
  context.report(
    `answers in ${type}${weights ? `, weights kept as ${weights}` : ""}, ${batchSize} at once` +
      (flags.dtype === undefined && dtype ? ": the same scores on any processor" : ""),
  );
  const exact = { ...flags, ...(dtype && { dtype }), batchSize };
  return closing.use(await LocalAnswerer.create(model, exact, context, context.signal()));
}

interface Task {
  readonly benchmark: Benchmark;
  readonly answerer: Answerer;
  readonly shard: Shard | undefined;
  readonly flags: RunFlags;
  readonly context: CommandContext;
}

/** Answers a benchmark and scores it; nothing to score where only a shard was asked, or a judge is still to be. */
async function runOne(task: Task, incomplete: Incomplete): Promise<Omit<Result, "outcomes"> | undefined> {
  const { runFiles } = await import("../../../evaluation/index.ts");
  const { slowLockPatience, withLock } = await import("../../../files/index.ts");
  const { benchmark, shard, flags, context } = task;
  const files = runFiles(flags.output, benchmark, flags.split);
  const lock = `${files.store}${shard === undefined ? "" : `.${shard.index}-of-${shard.count}`}.lock`;
  const signal = context.signal();
  const onWait = (holder: string) => context.report(`Another process writes there; waiting: ${holder}.`);
  return await withLock(
    lock,
    async () => {
      const answered = await answer(task, files);
      incomplete.add(benchmark.name, answered.report.failures);
      return shard === undefined ? await scoreRun(task, files, answered, incomplete) : undefined;
    },
    { onWait, patience: slowLockPatience, signal },
  );
}

async function answer(
  { benchmark, answerer, shard, flags, context }: Task,
  files: RunFiles,
): Promise<Answered> {
  const { answerBenchmark } = await import("../../../evaluation/index.ts");
  let bar: Progress | undefined;
  let answered: Answered;
  try {
    answered = await answerBenchmark({
      benchmark,
      answerer,
      files,
      shard,
      load: loadOptions(benchmark, flags),
      limit: flags.limit,
      retry: retryOf(flags),
      signal: context.signal(),
      onProgress({ asked, found, failed, usage }, total) {
        bar ??= context.progress({ label: benchmark.name, total, unit: "questions" });
        bar.update(asked + found + failed, showCost(usage, flags.price), found);
      },
    });
  } finally {
    bar?.stop();
  }
  const { asked, found, failed, usage } = answered.report;
  const cost = showCost(usage, flags.price);
  context.report(`${benchmark.name}: ${asked} answered now, ${found} before, ${failed} failed; ${cost}`);
  return answered;
}

async function scoreRun(
  { benchmark, flags, context }: Task,
  files: RunFiles,
  { answers, run }: Answered,
  incomplete: Incomplete,
): Promise<Omit<Result, "outcomes"> | undefined> {
  const { firstOf, scoreToFile } = await import("../../../evaluation/index.ts");
  const taken = firstOf(benchmark, flags.limit);
  const load = loadOptions(benchmark, flags);
  const { judgeEndpoint, judgeModel } = flags;
  let judged: Judged | undefined;
  if (benchmark.judge !== undefined && judgeEndpoint !== undefined) {
    const judge = await openEndpoint(judgeEndpoint, judgeModel ?? benchmark.judge.model, {
      ...flags,
      keyVariable: flags.judgeKeyVariable,
    });
    judged = await askJudge(
      { benchmark: taken, load, answers: answers.texts, judge, files, retry: retryOf(flags) },
      context,
    );
    incomplete.addJudged(benchmark.name, judged);
  }
  try {
    const { result } = await scoreToFile(files.result, {
      benchmark: taken,
      load,
      answers,
      model: answers.model ?? "",
      verdicts: judged,
      judge: judged?.judge,
      judging: judged?.judging,
      sampling: benchmark.sampling,
      run,
      withoutJudge: !flags.judge,
      leaveOutFailures: true,
    });
    context.report(`${files.result}: written`);
    return result;
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    incomplete.addUnscored(error);
    return undefined;
  }
}

const loadOptions = ({ name }: Benchmark, { data, split, compat }: RunFlags) => ({
  data: existsSync(join(data, name)) ? join(data, name) : data,
  split,
  compat,
});
