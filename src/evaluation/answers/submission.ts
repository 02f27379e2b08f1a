import { LlavaError } from "../../errors.ts";
import { writeAtomically } from "../../files/index.ts";
import type { Benchmark, BenchmarkItem, DatasetOptions } from "../benchmark.ts";
import type { Answers } from "./index.ts";

export interface SubmissionOptions {
  readonly benchmark: Benchmark;
  readonly load: DatasetOptions;
  readonly answers: Pick<Answers, "texts" | "where">;
  /** Writes questions without an answer as unanswered, too. */
  readonly partial?: boolean | undefined;
}

/**
 * Writes answers as the benchmark's server takes them.
 * @returns the number of questions in the file, and of those without an answer
 * @throws LlavaError "usage" for a benchmark without a server; "data" for missing answers and answers to other questions
 */
export async function writeSubmission(
  path: string,
  { benchmark, load, answers, partial }: SubmissionOptions,
): Promise<{ questions: number; unanswered: number }> {
  const { submission } = requireSubmission(benchmark);
  const items: BenchmarkItem[] = [];
  for await (const item of benchmark.load(load)) items.push(item);
  const ids = new Set(items.map(({ id }) => id));
  const place = `${benchmark.name} (${load.split ?? benchmark.splits[0]})`;
  const unknown = [...answers.texts.keys()].filter((id) => !ids.has(id));
  if (unknown.length > 0)
    throw new LlavaError(
      "data",
      `${answers.where(unknown[0]!)}: ${unknown.length} of ${answers.texts.size} answers are to questions that ${place} does not have, the first to "${unknown[0]}"`,
      { hint: `Check the split; those of ${benchmark.name}: ${benchmark.splits.join(", ")}.` },
    );
  const missing = items.filter(({ id }) => !answers.texts.has(id));
  if (missing.length > 0 && !partial)
    throw new LlavaError(
      "data",
      `${answers.where("")}: ${missing.length} of ${items.length} questions of ${place} have no answer, the first is "${missing[0]!.id}"`,
      { hint: "--partial submits them as unanswered." },
    );
  writeAtomically(path, [await submission.write(items, answers.texts)], { code: "data", makesFolder: true });
  return { questions: items.length, unanswered: missing.length };
}

/** @throws LlavaError "usage" for a benchmark that is scored here alone */
export function requireSubmission(
  benchmark: Benchmark,
): Benchmark & { submission: NonNullable<Benchmark["submission"]> } {
  const { submission } = benchmark;
  if (submission !== undefined) return { ...benchmark, submission };
  throw new LlavaError("usage", `${benchmark.name} has no server that takes a file`, {
    hint: `llava eval score ${benchmark.name} scores its answers.`,
  });
}
