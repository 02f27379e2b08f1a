import { join } from "node:path";
import { barChart, histogram, saveChart } from "../../charts/index.ts";
import { writeAtomically, writeRows } from "../../files/index.ts";
import { type BiasReport, biasReport, type ReportContext } from "./bias-report.ts";
import type { Judged } from "./judge.ts";
import { pairsToLabel } from "./labels.ts";
import { type PairRule, pairUp } from "./pairs.ts";
import { factoryInfo, factoryRow, llavaRow, type PairOrigin, sampleRow } from "./preference-rows.ts";
import { wordsOf } from "./samples.ts";
import { writeTrl } from "./trl-file.ts";

export interface PreferenceFiles {
  /** LLaVA-NeXT's form, which training reads. */
  readonly out: string;
  readonly trl?: string | undefined;
  /** A folder for LLaMA-Factory. */
  readonly factory?: string | undefined;
  /** All answers and scores, the report and its plots. */
  readonly folder: string;
  /** Of the images. */
  readonly images: string;
  readonly seed: number;
}

/** Pairs for people to label. */
const labelled = 50;

/** Pairs up what was judged, and writes it in the forms asked for. */
export async function writePreferences(
  judged: readonly Judged[],
  rule: PairRule,
  files: PreferenceFiles,
  { origin, ...context }: ReportContext & { readonly origin: PairOrigin },
): Promise<BiasReport> {
  const paired = pairUp(judged, rule);
  const { pairs } = paired;
  const report = biasReport(judged, paired, context);
  await writeRows(
    files.out,
    pairs.map((pair) => llavaRow(pair, origin)),
  );
  await writeRows(join(files.folder, "samples.jsonl"), judged.map(sampleRow));
  await writeRows(join(files.folder, "to-label.jsonl"), pairsToLabel(pairs, labelled, files.seed));
  if (files.trl !== undefined) await writeTrl(files.trl, pairs, files.images);
  if (files.factory !== undefined) {
    const name = "preferences.json";
    const media = (["images", "videos"] as const).filter((one) =>
      pairs.some(({ asked }) => (one === "videos") === (asked.item.isVideo ?? false)),
    );
    writeAtomically(
      join(files.factory, "dataset_info.json"),
      [`${JSON.stringify({ preferences: factoryInfo(name, media) }, null, 2)}\n`],
      { code: "data", makesFolder: true },
    );
    await writeRows(join(files.factory, name), pairs.map(factoryRow));
  }
  writeAtomically(join(files.folder, "report.json"), [`${JSON.stringify(report, null, 2)}\n`], {
    code: "data",
  });
  await plot(files.folder, report, paired.pairs);
  return report;
}

async function plot(
  folder: string,
  { scores }: BiasReport,
  pairs: ReturnType<typeof pairUp>["pairs"],
): Promise<void> {
  const shown = ["1", "2", "3", "4", "5"];
  if (Object.keys(scores).length > 0)
    await saveChart(
      join(folder, "scores.svg"),
      barChart(shown, [{ name: "answers", bars: shown.map((score) => ({ value: scores[score] ?? 0 })) }], {
        title: "Scores of answers",
        x: { label: "answers" },
        format: String,
      }),
    );
  if (pairs.length === 0) return;
  await saveChart(
    join(folder, "lengths.svg"),
    histogram(
      pairs.map(({ chosen, rejected }) => wordsOf(chosen.text) - wordsOf(rejected.text)),
      {
        title: "How much longer the chosen answers are",
        x: { label: "words" },
        y: { label: "pairs" },
      },
    ),
  );
}
