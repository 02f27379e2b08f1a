import type { Command } from "commander";
import type { Benchmark } from "../../../evaluation/index.ts";
import { table } from "../../frame/table.ts";

export function configure(command: Command): void {
  command
    .description(
      "List the benchmarks; of those that are named, also the files they need, settings and published scores.",
    )
    .argument("[benchmark...]", "all there is to know of these")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExamples:\n  llava eval list\n  llava eval list videomme mmmu")
    .action(run);
}

async function run(names: readonly string[], { json }: { json?: boolean }): Promise<void> {
  const evaluation = await import("../../../evaluation/index.ts");
  const { differencesOf, findBenchmark, listBenchmarks } = evaluation;
  const benchmarks =
    names.length === 0 ? await listBenchmarks() : await Promise.all(names.map(findBenchmark));
  if (json)
    console.log(
      JSON.stringify(
        benchmarks.map((benchmark) => describe(benchmark, differencesOf(benchmark))),
        null,
        2,
      ),
    );
  else if (names.length > 0)
    console.log(benchmarks.map((benchmark) => show(benchmark, differencesOf(benchmark))).join("\n\n"));
  else
    console.log(
      table(
        ["name", "title", "metric", "splits", "published", "differs"],
        benchmarks.map((benchmark) => {
          const { name, title, headline, judge, splits, published } = benchmark;
          return [
            name,
            title,
            judge ? `${headline} (judge)` : headline,
            splits.join(" "),
            String(published.length),
            differencesOf(benchmark).length > 0 ? "yes" : "",
          ];
        }),
      ),
    );
}

const describe = (benchmark: Benchmark, differences: readonly string[]) => {
  const { name, title, source, files, splits, headline, published, sampling, judge, compat, submission } =
    benchmark;
  return {
    name,
    title,
    source,
    files,
    splits,
    headline,
    published,
    sampling,
    judge: judge?.model ?? null,
    judgePrompt: judge ? wordingOf(judge) : null,
    compat: compat ?? null,
    differences,
    submission: submission?.file ?? null,
  };
};

/** Which of the judge's prompts there are: the official one alone, ours beside it, or ours alone. */
const wordingOf = ({ official }: NonNullable<Benchmark["judge"]>): string =>
  official === "same" ? "official" : "withheld" in official ? "own" : "own, official";

function show(benchmark: Benchmark, differences: readonly string[]): string {
  const { name, title, source, files, splits, headline, published, sampling, judge, compat, submission } =
    benchmark;
  const settings = Object.entries(sampling).map(([setting, value]) => `${setting} ${value}`);
  const rows: (readonly [string, string | undefined])[] = [
    ["source", source],
    ...files.map((file, index) => [index === 0 ? "files" : "", file] as const),
    ["splits", splits.join(", ")],
    ["metric", judge ? `${headline}, judged by ${judge.model} in published scores` : headline],
    ["sampling", settings.join(", ")],
    ["--compat", compat],
    ...differences.map((difference, index) => [index === 0 ? "differs" : "", difference] as const),
    ["submission", submission?.file],
    ...published.map(
      ({ model, metric, value, source: printed }, index) =>
        [index === 0 ? "published" : "", `${model}: ${metric} ${value} (${printed})`] as const,
    ),
  ];
  const lines = rows.flatMap(([label, text]) =>
    text === undefined ? [] : [`  ${label.padEnd(10)}  ${text}`],
  );
  return [`${name}: ${title}`, ...lines].join("\n");
}
