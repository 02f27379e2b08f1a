import type { Command } from "commander";
import { table } from "./table.ts";

export function configure(command: Command): void {
  command
    .description("List the benchmarks: their metric, the files they need, published scores.")
    .option("--json", "print as JSON")
    .addHelpText("after", "\nExample:\n  llava eval list --json")
    .action(run);
}

async function run({ json }: { json?: boolean }): Promise<void> {
  const { listBenchmarks } = await import("../../evaluation/index.ts");
  const benchmarks = await listBenchmarks();
  if (json) {
    const rows = benchmarks.map(
      ({ name, title, source, files, splits, headline, published, sampling, judge }) => {
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
        };
      },
    );
    return console.log(JSON.stringify(rows, null, 2));
  }
  const rows = benchmarks.map(({ name, title, headline, judge, splits, published, files }) => [
    name,
    title,
    judge ? `${headline} (judge)` : headline,
    splits.join(" "),
    String(published.length),
    files.join("; "),
  ]);
  console.log(table(["name", "title", "metric", "splits", "published", "files"], rows));
}
