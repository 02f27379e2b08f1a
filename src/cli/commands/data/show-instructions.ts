import type { estimate, QualityReport } from "../../../datagen/index.ts";
import { table } from "../../frame/table.ts";

const percent = (share: number): string => `${(100 * share).toFixed(1)}%`;
const round = (value: number): string => value.toFixed(1);

/** A report as tables for a terminal. */
export function shownReport(report: QualityReport): string {
  const kinds = Object.entries(report.kinds);
  const classes = [
    ...new Set(Object.values(report.classes).flatMap(Object.keys)),
  ] as (keyof (typeof report.classes)[string])[];
  const head = ["kind", "rows", "turns", "question words", "answer words", "median", "longest"];
  const rows = kinds.map(([name, { rows: count, turns, questionWords, answerWords }]) => [
    name,
    String(count),
    round(turns),
    round(questionWords),
    round(answerWords.mean),
    String(answerWords.median),
    String(answerWords.longest),
  ]);
  const { yesNo, duplicates, habits, cost } = report;
  const grounded = Object.entries(report.grounding).filter(([, { replies }]) => replies > 0);
  return [
    table(
      ["class", ...kinds.map(([name]) => name)],
      classes.map((name) => [name, ...kinds.map(([kind]) => String(report.classes[kind]![name] ?? 0))]),
    ),
    "",
    table(head, rows),
    "",
    `questions begin: ${report.questionStarts
      .slice(0, 8)
      .map(([start, times]) => `${start} ${times}`)
      .join(", ")}; entropy ${report.questionEntropy.toFixed(2)} bits`,
    `yes ${yesNo.yes}, no ${yesNo.no}; ${percent(yesNo.shareOfQuestions)} of the questions`,
    `repeated questions ${duplicates.questions} of ${duplicates.ofQuestions}; answers nearly as others ${duplicates.nearAnswers}; self-BLEU ${duplicates.selfBleu?.toFixed(3) ?? "–"}; distinct pairs of words ${percent(report.distinctPairs)}`,
    `answers with hedges ${percent(habits.hedges)}, "in the image" ${percent(habits.inTheImage)}, "additionally" ${percent(habits.additionally)}`,
    ...grounded.map(
      ([name, { replies, ungrounded, mentioned, unsupported }]) =>
        `${name}: ${ungrounded} of ${replies} replies name something unsupported, ${unsupported} of ${mentioned} things named`,
    ),
    ...(cost.total > 0
      ? [
          `cost ${cost.total.toPrecision(3)}${cost.aRow === null ? "" : `, ${cost.aRow.toPrecision(3)} a row`}`,
        ]
      : []),
  ].join("\n");
}

/** An estimate as a table. */
export function shownEstimate({ kinds, cost, of1000Items }: ReturnType<typeof estimate>): string {
  const rows = kinds.map(({ kind, requests, promptTokens, completionTokens, pilot }) =>
    [kind, requests, promptTokens, completionTokens, pilot].map(String),
  );
  const lines = [table(["kind", "requests", "prompt tokens", "reply tokens", "from replies"], rows)];
  if (cost) {
    lines.push(
      `cost ${cost.mean.toPrecision(3)} (${cost.low.toPrecision(3)} to ${cost.high.toPrecision(3)}); 1,000 images ≈ ${of1000Items!.toPrecision(3)}`,
    );
    if (kinds.some(({ pilot }) => pilot === 0))
      lines.push(
        "Without a pilot (--estimate 50) tokens are characters by four, ± 15 %, and replies as long as the original's.",
      );
  } else lines.push("--price input/output shows what it costs.");
  return lines.join("\n");
}
