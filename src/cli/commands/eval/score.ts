import { basename, join } from "node:path";
import type { Command } from "commander";
import { LlavaError } from "../../../errors.ts";
import type { Answers, Benchmark, Result } from "../../../evaluation/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { collect } from "../../frame/model-options.ts";
import { addFields, type FieldFlags, fieldsOf, filesOf } from "./prediction-options.ts";

interface ScoreFlags extends FieldFlags {
  readonly predictions?: readonly string[];
  readonly data?: readonly string[];
  readonly split?: string;
  readonly compat?: boolean;
  readonly verdicts?: string;
  readonly judge: boolean;
  readonly judgeId?: string;
  readonly model?: string;
  readonly partial?: boolean;
  readonly suite?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  addFields(command)
    .description("Score answers that were made elsewhere, or a suite of them with expected scores.")
    .argument("[benchmark]", "name, as llava eval list prints it")
    .option(
      "-p, --predictions <file>",
      "answers, in LLaVA's JSONL, the benchmark's or another evaluation's format (repeatable: other runs, or chunks of one)",
      collect,
    )
    .option("-d, --data <folder>", "the dataset's original files (repeatable with --suite)", collect)
    .option("--split <name>", "the benchmark's first one if left out")
    .option("--compat", "reproduce bugs of the original that published scores depend on")
    .option("--verdicts <file>", "what a judge said of the answers")
    .option("--no-judge", "count answers that no rule can read as wrong")
    .option("--judge-id <name>", "the judge, if the verdicts do not name it")
    .option("--model <name>", "the model, if the predictions do not name it")
    .option("--partial", "score what is answered, and print what that covers")
    .option("--suite <file>", "a manifest of predictions and the scores that are expected of them")
    .option(
      "-o, --out <file>",
      "write the result as JSON, its outcomes beside it; a folder for several predictions",
    )
    .option("--json", "print as JSON")
    .addHelpText(
      "after",
      `
Examples:
  llava eval score pope --predictions answers.jsonl --data pope
  llava eval score gqa -p '7b_chunk-*.jsonl' -p '13b_chunk-*.jsonl' --data gqa
  llava eval score --suite recipes/evaluation/published.json --data benchmarks`,
    )
    .action((name: string | undefined, flags: ScoreFlags) => run(name, flags, context));
}

async function run(name: string | undefined, flags: ScoreFlags, context: CommandContext): Promise<void> {
  const { predictions = [], data = [], suite, json } = flags;
  if (suite !== undefined) {
    const { runSuite } = await import("./suite.ts");
    return runSuite(suite, data, json ?? false, context);
  }
  const [folder] = data;
  if (name === undefined || predictions.length === 0 || folder === undefined || data.length > 1)
    throw new LlavaError(
      "usage",
      "give a benchmark, --predictions FILE and one --data FOLDER, or --suite FILE",
      {
        hint: "llava eval list shows the benchmarks and the files they need.",
      },
    );
  const results: Omit<Result, "outcomes">[] = [];
  const { findBenchmark, readAnswerFiles, requireSplit, asRuns } = await import(
    "../../../evaluation/index.ts"
  );
  const { showResult } = await import("./show-result.ts");
  const benchmark = await findBenchmark(name);
  const { split, compat } = flags;
  requireSplit(benchmark, split);
  const read = (path: string): Promise<Answers> =>
    readAnswerFiles(benchmark, filesOf(path), {
      load: { data: folder, split, compat },
      fields: fieldsOf(flags),
    });
  const files: Answers[] = [];
  for (const path of predictions) files.push(await read(path));
  const runs = asRuns(files);
  for (const answers of runs) {
    if (answers.files.length > 1) context.report(`${answers.path}: chunks of one run`);
    const out = flags.out === undefined || runs.length === 1 ? flags.out : join(flags.out, fileName(answers));
    const result = await scoreRun(benchmark, answers, folder, { ...flags, out }, context);
    results.push(result);
    if (!json) console.log(`${results.length > 1 ? "\n" : ""}${showResult(result, benchmark.published)}`);
    if (out !== undefined) context.report(`${out}: written`);
  }
  if (json) console.log(JSON.stringify(runs.length === 1 ? results[0] : results, null, 2));
}

async function scoreRun(
  benchmark: Benchmark,
  answers: Answers,
  data: string,
  flags: Omit<ScoreFlags, "out"> & { readonly out: string | undefined },
  { progress }: CommandContext,
): Promise<Omit<Result, "outcomes">> {
  const { readVerdicts, score, scoreToFile } = await import("../../../evaluation/index.ts");
  const { split, compat, partial, out } = flags;
  const verdicts =
    flags.verdicts === undefined ? answers.verdicts : await readVerdicts(benchmark, flags.verdicts);
  const bar = progress({ label: benchmark.name, total: answers.texts.size, unit: "answers" });
  const options = {
    benchmark,
    load: { data, split, compat },
    answers,
    verdicts,
    model: flags.model ?? answers.model ?? fileName(answers).replace(/\.json$/, ""),
    judge: verdicts?.judge ?? flags.judgeId,
    partial,
    withoutJudge: !flags.judge,
    onProgress: (done: number) => bar.update(done),
  };
  try {
    return (await (out === undefined ? score(options) : scoreToFile(out, options))).result;
  } finally {
    bar.stop();
  }
}

/** Of the first file, where a run has several. */
const fileName = ({ files }: Answers): string => `${basename(files[0]!).replace(/\.[^.]*$/, "")}.json`;
