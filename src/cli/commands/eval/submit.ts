import { statSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import { addPredictions, fieldsOf, filesOf, type PredictionFlags } from "./prediction-options.ts";

interface SubmitFlags extends PredictionFlags {
  readonly out: string;
  readonly split?: string;
  readonly partial?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  addPredictions(command)
    .description("Write answers in the format that a benchmark's server takes.")
    .requiredOption("-o, --out <file>", "the file to write, or the folder to write it into")
    .option("--split <name>", "the benchmark's first one if left out")
    .option("--partial", "submit questions without an answer as unanswered")
    .addHelpText(
      "after",
      "\nExample:\n  llava eval submit vqav2 -p answers.jsonl --data vqav2 --split test-dev --out submissions/",
    )
    .action((name: string, flags: SubmitFlags) => run(name, flags, context));
}

async function run(
  name: string,
  { predictions, data, out, split, partial, ...fields }: SubmitFlags,
  { report }: CommandContext,
): Promise<void> {
  const { findBenchmark, readAnswerFiles, requireSplit, requireSubmission, writeSubmission } = await import(
    "../../../evaluation/index.ts"
  );
  const benchmark = requireSubmission(await findBenchmark(name));
  requireSplit(benchmark, split);
  const isFolder = out.endsWith("/") || (statSync(out, { throwIfNoEntry: false })?.isDirectory() ?? false);
  const path = isFolder ? join(out, benchmark.submission.file) : out;
  const answers = await readAnswerFiles(benchmark, predictions.flatMap(filesOf), {
    load: { data, split },
    fields: fieldsOf(fields),
  });
  const { questions, unanswered } = await writeSubmission(path, {
    benchmark,
    load: { data, split },
    answers,
    partial,
  });
  report(`${path}: ${questions} questions${unanswered > 0 ? `, ${unanswered} unanswered` : ""}`);
}
