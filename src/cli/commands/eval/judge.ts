import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { Judged } from "../../../evaluation/index.ts";
import type { SamplingOptions } from "../../../protocol/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import {
  addEndpointOptions,
  type EndpointFlags,
  type JudgePromptFlags,
  judgePromptOption,
  openEndpoint,
  retryOf,
} from "../../frame/endpoint-options.ts";
import { count, notNegative } from "../../frame/model-options.ts";
import { askJudge, type JudgeTask } from "./ask-judge.ts";
import { Incomplete } from "./incomplete.ts";
import { addPredictions, fieldsOf, filesOf, type PredictionFlags } from "./prediction-options.ts";

interface JudgeFlags extends EndpointFlags, PredictionFlags, JudgePromptFlags {
  readonly output: string;
  readonly split?: string;
  readonly compat?: boolean;
  readonly partial?: boolean;
  readonly model?: string;
  readonly judgeEndpoint?: string;
  readonly judgeModel?: string;
  readonly judgeMaxTokens?: number;
  readonly judgeTemperature?: number;
  readonly rounds: number;
  readonly replay?: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  addPredictions(command)
    .description("Have a judge model rate answers that no rule can read, and score them.")
    .requiredOption("-o, --output <folder>", "where replies, verdicts and the result go")
    .option("--judge-endpoint <url>", "an OpenAI-compatible endpoint")
    .option("--judge-model <name>", "its name there (default: the judge of published scores)")
    .option("--judge-max-tokens <n>", "longest reply, instead of the benchmark's own setting", count)
    .option("--judge-temperature <t>", "instead of the benchmark's own setting", notNegative)
    .addOption(judgePromptOption())
    .option("--rounds <n>", "times that it is asked for a reply that can be read", count, 3)
    .option("--replay <file>", "take the replies that an earlier run stored, and ask nothing")
    .option("--split <name>", "the benchmark's first one if left out")
    .option("--compat", "reproduce bugs of the original that published scores depend on")
    .option("--model <name>", "the model, if the predictions do not name it")
    .option("--partial", "judge and score what is answered, and print what that covers")
    .option("--json", "print the result as JSON");
  addEndpointOptions(command)
    .addHelpText(
      "after",
      `
Example:
  llava eval judge llava-w -p answers.jsonl --data llava-bench --judge-endpoint https://api.openai.com/v1 \\
    --judge-model gpt-4o-2024-11-20 --output runs/7b`,
    )
    .action((name: string, flags: JudgeFlags) => run(name, flags, context));
}

async function run(name: string, flags: JudgeFlags, context: CommandContext): Promise<void> {
  const { findBenchmark, readAnswerFiles, requireSplit, runFiles, withJudgePrompt } = await import(
    "../../../evaluation/index.ts"
  );
  const { slowLockPatience, withLock } = await import("../../../files/index.ts");
  const { split, compat, data, json, output } = flags;
  const benchmark = withJudgePrompt(await findBenchmark(name), flags.judgePrompt);
  requireSplit(benchmark, split);
  const asked = await whoJudges(benchmark.judge?.model, flags);
  const load = { data, split, compat };
  const answers = await readAnswerFiles(benchmark, flags.predictions.flatMap(filesOf), {
    load,
    fields: fieldsOf(flags),
  });
  const files = runFiles(output, benchmark, split);
  const task: JudgeTask = {
    ...asked,
    benchmark,
    load,
    answers: answers.texts,
    given: answers.verdicts?.byId,
    files,
    rounds: flags.rounds,
    sampling: samplingOf(flags),
    retry: retryOf(flags),
    price: flags.price,
  };
  const onWait = (holder: string) => context.report(`Another process writes there; waiting: ${holder}.`);
  const judged: Judged = await withLock(`${files.replies}.lock`, () => askJudge(task, context), {
    onWait,
    patience: slowLockPatience,
    signal: context.signal(),
  });
  const kept = answers.verdicts?.byId.size ?? 0;
  if (kept > 0) context.report(`${kept} readings came with the answers, and are kept`);
  const { scoreToFile } = await import("../../../evaluation/index.ts");
  const { result } = await scoreToFile(files.result, {
    benchmark,
    load,
    answers,
    model: flags.model ?? answers.model ?? "unknown",
    verdicts: judged,
    judge: judged.judge,
    judging: judged.judging,
    partial: flags.partial,
    leaveOutFailures: true,
  });
  const { showResult } = await import("./show-result.ts");
  console.log(json ? JSON.stringify(result, null, 2) : showResult(result, benchmark.published));
  context.report(`${files.result}: written`);
  const incomplete = new Incomplete();
  incomplete.addJudged(name, judged);
  incomplete.check();
}

async function whoJudges(
  usual: string | undefined,
  flags: JudgeFlags,
): Promise<Pick<JudgeTask, "judge" | "store">> {
  const { judgeEndpoint, judgeModel, replay } = flags;
  const { openReplay } = await import("../../../evaluation/index.ts");
  if (replay !== undefined) return await openReplay(replay, judgeModel);
  const model = judgeModel ?? usual;
  if (judgeEndpoint === undefined || model === undefined)
    throw new LlavaError("usage", "there is no judge to ask", {
      hint: "Give --judge-endpoint URL and --judge-model NAME, or --replay FILE.",
    });
  return { judge: await openEndpoint(judgeEndpoint, model, flags) };
}

const samplingOf = ({ judgeMaxTokens, judgeTemperature }: JudgeFlags): SamplingOptions => ({
  ...(judgeMaxTokens !== undefined && { maxTokens: judgeMaxTokens }),
  ...(judgeTemperature !== undefined && { temperature: judgeTemperature }),
});
