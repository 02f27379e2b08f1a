import { existsSync, globSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import {
  findBenchmark,
  formatMetric,
  listBenchmarks,
  type Result,
  readAnswerFiles,
  readVerdicts,
  score,
} from "../../../evaluation/index.ts";
import { describeIssues, readDataFile } from "../../../files/index.ts";
import { ownOrShipped } from "../../../package.ts";
import type { CommandContext } from "../../frame/context.ts";
import { table } from "../../frame/table.ts";

const entrySchema = z.strictObject({
  title: z.string(),
  benchmark: z.string(),
  /** Files that make up one set of answers; a glob stands for all files it matches. Relative to a --data folder, as all paths. */
  predictions: z.union([z.string(), z.array(z.string()).min(1)]),
  data: z.string(),
  split: z.string().optional(),
  verdicts: z.string().optional(),
  options: z
    .strictObject({ compat: z.boolean(), partial: z.boolean(), withoutJudge: z.boolean() })
    .partial()
    .optional(),
  expected: z.record(z.string(), z.number()),
  /** Digits after the point of the expected values. */
  digits: z.int().nonnegative(),
  /** What our value is multiplied by, where the source prints shares and we percentages. */
  scale: z.number().optional(),
  source: z.string(),
  /** Whether the expected values were recomputed from these files: a difference is then an error. */
  recomputed: z.boolean(),
});
type Entry = z.infer<typeof entrySchema>;
const suiteSchema = z.strictObject({ entries: z.array(entrySchema).min(1) });

interface Line {
  readonly title: string;
  readonly metric: string;
  readonly expected: string;
  readonly got: string;
  readonly isEqual: boolean;
  readonly recomputed: boolean;
  readonly note: string;
}

/** Scores every entry of a manifest and prints expected and got side by side. @throws LlavaError "data" if one that was recomputed differs */
export async function runSuite(
  path: string,
  roots: readonly string[],
  json: boolean,
  { progress }: CommandContext,
): Promise<void> {
  const { entries } = await readSuite(path);
  const names = new Set((await listBenchmarks()).map(({ name }) => name));
  const bar = progress({ label: "suite", total: entries.length, unit: "entries" });
  const lines: Line[] = [];
  for (const entry of entries) {
    lines.push(...(await runEntry(entry, roots, names)));
    bar.increment();
  }
  bar.stop();
  console.log(json ? JSON.stringify(lines, null, 2) : show(lines));
  const wrong = lines.filter(({ isEqual, recomputed }) => recomputed && !isEqual);
  if (wrong.length > 0)
    throw new LlavaError(
      "data",
      `${wrong.length} of ${lines.length} scores differ from what was recomputed`,
      {
        hint: `The first: ${wrong[0]!.title}, ${wrong[0]!.metric}.`,
      },
    );
}

async function readSuite(path: string) {
  let value: unknown;
  try {
    value = JSON.parse(await readDataFile(ownOrShipped(path)));
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: not valid JSON: ${(cause as Error).message}`, { cause });
  }
  const { success, data, error } = suiteSchema.safeParse(value);
  if (success) return data;
  throw new LlavaError("data", `${path}: ${describeIssues(error)}`, {
    hint: "See recipes/evaluation/published.json.",
  });
}

async function runEntry(entry: Entry, roots: readonly string[], names: ReadonlySet<string>): Promise<Line[]> {
  const { title, expected, digits, recomputed, scale = 1 } = entry;
  let scored: Omit<Result, "outcomes"> | undefined;
  let problem = "";
  try {
    if (!names.has(entry.benchmark)) throw new LlavaError("usage", `no benchmark ${entry.benchmark}`);
    scored = await scoreEntry(entry, roots);
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    problem = error.message;
  }
  return Object.entries(expected).map(([metric, value]) => {
    const found = scored?.scores.find(({ name }) => name === metric);
    const got = found ? formatMetric(found.value * scale, digits) : "–";
    const wanted = formatMetric(value, digits);
    const note = problem || (found ? partly(scored!) : `no such metric; there are ${metricNames(scored)}`);
    return { title, metric, expected: wanted, got, isEqual: got === wanted, recomputed, note };
  });
}

const metricNames = (scored: Omit<Result, "outcomes"> | undefined): string =>
  scored?.scores.map(({ name }) => name).join(", ") ?? "none";

const partly = ({ counts: { scored, items } }: Omit<Result, "outcomes">): string =>
  scored < items ? `${scored} of ${items} questions` : "";

async function scoreEntry(entry: Entry, roots: readonly string[]): Promise<Omit<Result, "outcomes">> {
  const benchmark = await findBenchmark(entry.benchmark);
  const patterns = typeof entry.predictions === "string" ? [entry.predictions] : entry.predictions;
  // A root may also be the folder above the benchmarks'.
  const folders = (roots.length > 0 ? roots : ["."]).flatMap((root) => [root, join(root, "benchmarks")]);
  const files = patterns.map((pattern) => locate(folders, pattern));
  // The folder of the predictions first, so that "." means it.
  const nearby = [...files.map(({ folder }) => folder), ...folders];
  const { compat, partial, withoutJudge } = entry.options ?? {};
  const load = { data: locate(nearby, entry.data).found[0]!, split: entry.split, compat };
  const answers = await readAnswerFiles(
    benchmark,
    files.flatMap(({ found }) => found),
    { load },
  );
  const verdicts = entry.verdicts
    ? await readVerdicts(benchmark, locate(nearby, entry.verdicts).found[0]!)
    : answers.verdicts;
  const { result } = await score({
    benchmark,
    load,
    answers,
    verdicts,
    model: answers.model ?? entry.title,
    judge: verdicts?.judge,
    partial,
    withoutJudge,
    resamples: 0,
  });
  return result;
}

/** Files that `pattern` matches in the first of the folders that has any. */
function locate(folders: readonly string[], pattern: string): { folder: string; found: string[] } {
  for (const folder of folders) {
    const path = join(folder, pattern);
    const found = existsSync(path) ? [path] : globSync(path).sort();
    if (found.length > 0) return { folder, found };
  }
  throw new LlavaError("data", `${pattern} is in none of ${folders.join(", ")}`, {
    hint: "Give the folder with --data; it may be repeated.",
  });
}

function show(lines: readonly Line[]): string {
  const mark = ({ isEqual, recomputed }: Line): string => (isEqual ? "=" : recomputed ? "≠" : "tried");
  const rows = lines.map((line, index) => {
    const title = lines[index - 1]?.title === line.title ? "" : line.title;
    return [title, line.metric, line.expected, line.got, mark(line), line.note];
  });
  const checked = lines.filter(({ recomputed }) => recomputed);
  const equal = checked.filter(({ isEqual }) => isEqual).length;
  return [
    table(["benchmark", "metric", "expected", "got", "", "note"], rows),
    `${equal} of ${checked.length} recomputed scores are equal to the last digit; ${lines.length - checked.length} more were tried.`,
  ].join("\n");
}
