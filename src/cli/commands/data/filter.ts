import { type Command, InvalidArgumentError } from "commander";
import { writeRows } from "../../../files/index.ts";
import type { CommandContext } from "../../frame/context.ts";
import { seedOption } from "../../frame/seed-option.ts";

interface Options {
  captions: string;
  out: string;
  meta?: string;
  plot?: string;
  minFrequency: number;
  maxPerPhrase: number;
  seed: number;
}

export function configure(data: Command, { progress, report }: CommandContext): void {
  data
    .command("filter")
    .description("Choose captions so that rare concepts stay and frequent ones do not crowd them out.")
    .requiredOption("--captions <file>", "CC3M's TSV, JSON lines with id, image and caption, or LLaVA rows")
    .requiredOption("--out <file>", "write the chosen ones as LLaVA rows (.json or .jsonl)")
    .option("--meta <file>", "write where each came from: id, image, caption, url (.json or .jsonl)")
    .option("--plot <file>", "draw the coverage of phrases before and after (.svg or .png)")
    .option("--min-frequency <count>", "leave phrases in fewer captions alone", positive, 3)
    .option("--max-per-phrase <count>", "captions that a phrase brings in at most", positive, 100)
    .addOption(seedOption())
    .addHelpText(
      "after",
      "\nExample:\n  llava data filter --captions Train_GCC-training.tsv --out cc3m-595k.json --plot coverage.svg",
    )
    .action(async ({ captions, out, meta, plot, minFrequency, maxPerPhrase, seed }: Options) => {
      const datagen = await import("../../../datagen/index.ts");
      const reading = progress({ label: "captions", unit: "captions" });
      const options = { minFrequency, maxPerPhrase, seed };
      const selection = await datagen
        .selectCaptions(captions, datagen.englishReader(), options, () => reading.increment())
        .finally(() => reading.stop());
      const writing = progress({ label: "rows", total: selection.count, unit: "rows" });
      await writeRows(out, rows(datagen.chosenRecords(captions, selection))).finally(() => writing.stop());
      report(`${out}: ${selection.count} of ${selection.chosen.length} captions`);
      if (meta !== undefined) await writeRows(meta, entries(datagen.chosenRecords(captions, selection)));
      if (plot !== undefined) await drawCoverage(plot, selection);

      async function* rows(records: ReturnType<typeof datagen.chosenRecords>) {
        for await (const record of records) {
          yield datagen.captionRow(record, seed);
          writing.increment();
        }
      }
      async function* entries(records: ReturnType<typeof datagen.chosenRecords>) {
        for await (const record of records) yield datagen.metaEntry(record);
      }
    });
}

async function drawCoverage(
  path: string,
  { frequencyBefore, frequencyAfter }: { frequencyBefore: Uint32Array; frequencyAfter: Uint32Array },
): Promise<void> {
  const { lineChart, saveChart } = await import("../../../charts/index.ts");
  const { coverage } = await import("../../../datagen/index.ts");
  const series = (name: string, frequency: Uint32Array) => ({
    name,
    points: coverage(frequency).map((step): [number, number] => [step.frequency, step.phrases]),
  });
  const chart = lineChart([series("all captions", frequencyBefore), series("chosen", frequencyAfter)], {
    title: "Noun phrases by the number of captions that have them",
    x: { label: "captions, at least", scale: "log" },
    y: { label: "noun phrases", scale: "log" },
  });
  await saveChart(path, chart);
}

function positive(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError("It is a whole number from 1.");
  return value;
}
