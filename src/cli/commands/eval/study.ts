import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import { table } from "../../frame/table.ts";

interface StudyFlags {
  readonly data?: string;
  readonly language: string;
  readonly out: string;
  readonly json?: boolean;
}

export function configure(command: Command, { report }: CommandContext): void {
  command
    .description("Relate scores of vision to scores of language: slope, r and confidence band per benchmark.")
    .option(
      "--data <file>",
      "JSON list of models: name, params (billions), mmlu, mmmu, …; published scores when left out",
    )
    .option("--language <name>", "the benchmark of language", "mmlu")
    .requiredOption("--out <folder>", "receives study.json and a chart per benchmark as SVG and PNG")
    .option("--json", "print the study as JSON")
    .addHelpText("after", "\nExample:\n  llava eval study --out study")
    .action(async ({ data, language, out, json }: StudyFlags) => {
      const { publishedModels, readStudyModels, studiedBenchmarks, studyLanguage, titleOf, writeStudy } =
        await import("../../../evaluation/index.ts");
      const models = data === undefined ? publishedModels : await readStudyModels(data);
      const study = studyLanguage(models, {
        language,
        benchmarks: data === undefined ? studiedBenchmarks : [],
      });
      const files = await writeStudy(out, study);
      const rows = study.relations.map(({ benchmark, points, regression, lacking }) => [
        titleOf(benchmark),
        String(points.length),
        regression?.slope.toFixed(2) ?? "",
        regression?.r?.toFixed(2) ?? "",
        lacking.join(", "),
      ]);
      console.log(
        json
          ? JSON.stringify(study, null, 2)
          : table(["benchmark", "models", "slope", "r", "without a score"], rows),
      );
      if (study.withoutLanguage.length > 0)
        report(`left out, without ${titleOf(language)}: ${study.withoutLanguage.join(", ")}`);
      report(`${files.length} files in ${out}`);
    });
}
