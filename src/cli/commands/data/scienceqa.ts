import type { Command } from "commander";
import { writeRows } from "../../../files/index.ts";
import type { CommandContext } from "../../frame/context.ts";

interface Options {
  data: string;
  split: string;
  form: string;
  out: string;
}

export function configure(data: Command, { report }: CommandContext): void {
  data
    .command("scienceqa")
    .description("Make training rows of ScienceQA's problems.")
    .requiredOption("--data <folder>", "holds problems.json and pid_splits.json")
    .option("--split <name>", "a split of pid_splits.json", "train")
    .option(
      "--form <letters>",
      "what is shown and what is answered: Q question, C context, M options, L lecture, E explanation, A answer",
      "QCM-LEA",
    )
    .requiredOption("--out <file>", "where the rows go (.json or .jsonl)")
    .addHelpText(
      "after",
      `
Example:
  llava data scienceqa --data ScienceQA --split train --out scienceqa-train.json
Images are looked for under --data.images in folders of the problems' numbers: ScienceQA/images/train.`,
    )
    .action(async ({ data: folder, split, form, out }: Options) => {
      const { scienceQaRows } = await import("../../../datagen/index.ts");
      const rows = await scienceQaRows(folder, { split, form });
      const written = await writeRows(out, rows);
      const withImage = rows.filter(({ image }) => image !== undefined).length;
      report(`${out}: ${written} rows, ${withImage} of them with an image`);
    });
}
