import { availableParallelism } from "node:os";
import { type Command, Option } from "commander";
import type { CheckReport, Dataset, RowProblem, SourceReport } from "../../../data/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { Transparency } from "../../../processing/image/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { count, transparencyOption } from "../../frame/model-options.ts";
import { printable } from "../../frame/printable.ts";
import { table } from "../../frame/table.ts";
import { addEncodingOptions, type EncodingFlags, openEncoding } from "./encoding.ts";

interface Options extends EncodingFlags {
  images?: string;
  maxTokens: number;
  onProblem: "count" | "fail";
  transparency: Transparency;
  plot?: string;
  show: number;
  json?: boolean;
}

export function configure(data: Command, context: CommandContext): void {
  const command = data
    .command("check")
    .description("Look at every row, decode every image and video, count every token, as training would.")
    .argument(
      "<data...>",
      "rows (.json, .jsonl), shards (.tar, .parquet), several in {braces}, or a mixture (.yaml)",
    )
    .option("--images <folder>", "folder of images and videos; without it they are not looked at");
  addEncodingOptions(command)
    .option("--max-tokens <n>", "longest row that training takes", count, 2048)
    .addOption(
      new Option("--on-problem <policy>", "what to do about a row that cannot be used")
        .choices(["count", "fail"])
        .default("count"),
    )
    .addOption(transparencyOption("drop").default("drop" satisfies Transparency))
    .option("--plot <file>", "draw the distribution of row lengths in tokens (.svg or .png)")
    .option("--show <n>", "problems to print", count, 20)
    .option("--json", "print as JSON, with all problems")
    .addHelpText(
      "after",
      `
Example:
  llava data check train.json --images images --tokenizer vicuna-7b-v1.5 --template v1 --plot lengths.svg

The exit status is 1 if any row cannot be used.`,
    )
    .action((names: string[], options: Options) => run(names, options, context));
}

async function run(names: readonly string[], options: Options, context: CommandContext): Promise<void> {
  const { checkData, countRows, readDatasets, rowProblems } = await import("../../../data/index.ts");
  const signal = context.signal();
  const datasets = wholeFiles((await Promise.all(names.map(readDatasets))).flat());
  const encoding = await openEncoding(options, context);
  const counting = context.progress({ label: "counting", unit: "rows" });
  // Damage is told where it is met again, with the rows before it.
  const total = await countRows(datasets, {
    onDamage() {},
    onRows: (count) => counting.increment(count),
  }).finally(() => counting.stop());
  const bar = context.progress({ label: "checking", total, unit: "rows" });
  const problems: { source: string; problem: string; message: string }[] = [];
  const report = await checkData(datasets, {
    ...(options.images !== undefined && { images: options.images }),
    ...encoding,
    maxTokens: options.maxTokens,
    transparency: options.transparency,
    concurrency: availableParallelism(),
    onProblem(error, source) {
      if (options.onProblem === "fail") throw error;
      const problem = "problem" in error ? String(error.problem) : "damaged";
      problems.push({ source, problem, message: error.message });
    },
    onRow: () => bar.increment(),
    signal,
  }).finally(() => bar.stop());
  if (options.plot !== undefined) await drawLengths(options.plot, report, options.maxTokens);
  const sources = report.sources.map(summary);
  if (options.json)
    console.log(
      JSON.stringify({ ...report, sources, transparency: options.transparency, problems }, null, 2),
    );
  else {
    console.log(shownTable(sources));
    for (const [problem, rows] of countByProblem(report))
      console.log(`${rows} rows: ${rowProblems[problem]}`);
    for (const note of notes(report, options.transparency)) console.log(printable(note));
    for (const { message } of problems.slice(0, options.show)) console.log(printable(message));
    if (problems.length > options.show)
      console.log(`… and ${problems.length - options.show} more; --json has all`);
  }
  if (problems.length > 0)
    throw new LlavaError("data", `${problems.length} problems in ${names.join(", ")}`, {
      hint: "Training stops at such rows, or leaves them out with --data.onBadRow skip.",
    });
}

/** What is no problem, and still not what someone may expect. */
function notes({ sources, ignoredFiles, unusedFields }: CheckReport, transparency: Transparency): string[] {
  const found: string[] = [];
  const sum = (of: (source: SourceReport) => number): number =>
    sources.reduce((all, one) => all + of(one), 0);
  const [transparent, changed] = [sum((one) => one.transparentRows), sum((one) => one.changedRows)];
  if (transparent > 0)
    found.push(
      `${transparent} rows: an image with transparent pixels, read by "${transparency}" (--transparency, data.transparency); ` +
        `${changed} of them would look otherwise by "${transparency === "drop" ? "white" : "drop"}"`,
    );
  const pairs = sum((one) => one.pairs);
  const mean = (of: "chosenTokens" | "rejectedTokens"): string => (sum((one) => one[of]) / pairs).toFixed(1);
  if (pairs > 0)
    found.push(
      `${pairs} rows are pairs of answers (recipe.objective preference)${sum((one) => one.chosenTokens) > 0 ? `; in the mean the chosen ones have ${mean("chosenTokens")} tokens, the rejected ones ${mean("rejectedTokens")}` : ""}`,
    );
  const fields = Object.entries(unusedFields).sort(([, a], [, b]) => b - a);
  if (fields.length > 0)
    found.push(
      `fields that are not read: ${fields.map(([name, rows]) => `${name} (${rows} rows)`).join(", ")}`,
    );
  if (ignoredFiles.length > 0)
    found.push(
      `${ignoredFiles.length} files of an operating system in archives are left out: ${ignoredFiles.slice(0, 3).join(", ")}${ignoredFiles.length > 3 ? ", …" : ""}`,
    );
  return found;
}

/** Every file once with all its rows, whichever of them a mixture takes. */
function wholeFiles(datasets: readonly Dataset[]): Dataset[] {
  const strategy = { take: "all", amount: 100, isPercent: true } as const;
  return [...new Map(datasets.map((dataset) => [dataset.path, { ...dataset, strategy }])).values()];
}

function countByProblem({ sources }: CheckReport): Map<RowProblem, number> {
  const counts = new Map<RowProblem, number>();
  for (const { problems } of sources)
    for (const [problem, rows] of Object.entries(problems) as [RowProblem, number][])
      counts.set(problem, (counts.get(problem) ?? 0) + rows);
  return counts;
}

/** One source in numbers; those about tokens are null where no tokenizer was given. */
function summary({ lengths, supervisedTokens, imageTokens, ...counts }: SourceReport) {
  const sorted = Uint32Array.from(lengths).sort();
  const at = (part: number): number => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!;
  const tokens =
    sorted.length === 0
      ? null
      : {
          total: sorted.reduce((sum, length) => sum + length, 0),
          supervised: supervisedTokens,
          image: imageTokens,
          shortest: sorted[0]!,
          median: at(0.5),
          longest: sorted.at(-1)!,
        };
  return { ...counts, tokens };
}

function shownTable(sources: readonly ReturnType<typeof summary>[]): string {
  const head = [
    "source",
    "rows",
    "usable",
    "text",
    "images",
    "videos",
    "missing",
    "broken",
    "tokens",
    "trained",
    "median",
    "longest",
  ];
  const rows = sources.map(({ source, tokens, ...counts }) => [
    source,
    ...[
      counts.rows,
      counts.usable,
      counts.textOnly,
      counts.images,
      counts.videos,
      counts.missingImages,
      counts.brokenImages,
    ],
    ...(tokens ? [tokens.total, tokens.supervised, tokens.median, tokens.longest] : ["", "", "", ""]),
  ]);
  return table(
    head,
    rows.map((row) => row.map(String)),
  );
}

async function drawLengths(path: string, { sources }: CheckReport, maxTokens: number): Promise<void> {
  const lengths = sources.flatMap((source) => source.lengths);
  if (lengths.length === 0)
    throw new LlavaError("usage", "--plot: no row was turned into tokens", {
      hint: "Give --model, or --tokenizer and --template.",
    });
  const { histogram, saveChart } = await import("../../../charts/index.ts");
  const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
  const marks = longest > maxTokens / 2 ? [{ value: maxTokens, label: "longest taken" }] : [];
  const chart = histogram(lengths, {
    title: "Length of rows, tokens of images included",
    x: { label: "tokens" },
    y: { label: "rows" },
    marks,
  });
  await saveChart(path, chart);
}
