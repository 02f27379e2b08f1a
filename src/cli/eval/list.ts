import type { Command } from "commander";
import type { Benchmark } from "../../evaluation/index.ts";
import { table } from "./table.ts";

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
  const { findBenchmark, listBenchmarks } = await import("../../evaluation/index.ts");
  const benchmarks =
    names.length === 0 ? await listBenchmarks() : await Promise.all(names.map(findBenchmark));
  if (json) console.log(JSON.stringify(benchmarks.map(describe), null, 2));
  else if (names.length > 0) console.log(benchmarks.map(show).join("\n\n"));
  else
    console.log(
      table(
        ["name", "title", "metric", "splits", "published"],
        benchmarks.map(({ name, title, headline, judge, splits, published }) => [
          name,
          title,
          judge ? `${headline} (judge)` : headline,
          splits.join(" "),
          String(published.length),
        ]),
      ),
    );
}

const describe = (benchmark: Benchmark) => {
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
    compat: compat ?? null,
    submission: submission?.file ?? null,
  };
};

function show(benchmark: Benchmark): string {
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
