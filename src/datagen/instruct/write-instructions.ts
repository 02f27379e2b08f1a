import { join } from "node:path";
import { barChart, histogram, saveChart } from "../../charts/index.ts";
import { writeAtomically, writeRows } from "../../files/index.ts";
import { provenance } from "./outcomes.ts";
import { replyClasses } from "./reply-class.ts";
import { type QualityReport, qualityReport } from "./report.ts";
import type { Instructions } from "./run-instruct.ts";

/** Writes rows to `out`, and to `folder` where each comes from, what became of all others, and the report with its plots. */
export async function writeInstructions(
  { found, rows, added }: Instructions,
  { out, folder, cost }: { readonly out: string; readonly folder: string; readonly cost: number },
): Promise<QualityReport> {
  const report = qualityReport(found, added, cost);
  await writeRows(out, rows);
  await writeRows(join(folder, "provenance.jsonl"), found.map(provenance));
  writeAtomically(join(folder, "report.json"), [`${JSON.stringify(report, null, 2)}\n`], { code: "data" });
  const classes = Object.keys(replyClasses).filter((name) =>
    Object.values(report.classes).some((counts) => name in counts),
  ) as (keyof typeof replyClasses)[];
  const kinds = Object.entries(report.classes);
  await saveChart(
    join(folder, "classes.svg"),
    barChart(
      classes,
      kinds.map(([name, counts]) => ({ name, bars: classes.map((one) => ({ value: counts[one] ?? 0 })) })),
      { title: "What became of the replies", x: { label: "replies" }, format: String },
    ),
  );
  await saveChart(
    join(folder, "question-starts.svg"),
    barChart(
      report.questionStarts.slice(0, 20).map(([start]) => start),
      [{ name: "questions", bars: report.questionStarts.slice(0, 20).map(([, value]) => ({ value })) }],
      { title: "How questions begin", x: { label: "questions" }, format: String },
    ),
  );
  const words = rows.flatMap(({ conversations }) =>
    conversations.flatMap(({ from, value }) => (from === "gpt" ? [value.split(/\s+/).length] : [])),
  );
  await saveChart(
    join(folder, "answer-words.svg"),
    histogram(words, { title: "Length of answers", x: { label: "words" }, y: { label: "answers" } }),
  );
  return report;
}
