import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import { wholeNumber } from "../../frame/model-options.ts";

interface ReportFlags {
  readonly out: string;
  readonly images?: string;
  readonly title: string;
  readonly examples: number;
}

export function configure(command: Command, { progress, report }: CommandContext): void {
  command
    .description("Write one HTML page about some results: tables, charts, worst examples, differences.")
    .argument("<result...>", "JSON files of llava eval run or score; those of one benchmark are compared")
    .requiredOption("--out <file>", "the page to write")
    .option("--images <folder>", "where images are that do not lie where the results say")
    .option("--title <text>", "heading of the page", "Evaluation report")
    .option("--examples <n>", "worst examples of each result, and flips each way", wholeNumber, 12)
    .addHelpText("after", "\nExample:\n  llava eval report pope-7b.json pope-13b.json --out report.html")
    .action(async (paths: readonly string[], { out, images, title, examples }: ReportFlags) => {
      const { loadSources, writeReport } = await import("../../../evaluation/index.ts");
      const sources = await loadSources(paths);
      const bar = progress({ label: "report", total: sources.length, unit: "results" });
      const onProgress = (done: number): void => bar.update(done);
      try {
        await writeReport(out, sources, { title, images, examples, now: new Date(), onProgress });
      } finally {
        bar.stop();
      }
      report(`${out}: ${paths.length} results`);
    });
}
