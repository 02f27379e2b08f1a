import type { BiasReport, Share } from "../../../datagen/index.ts";
import { table } from "../../frame/table.ts";

const percent = ({ share, of, low, high }: Share): string =>
  `${(100 * share).toFixed(1)}% of ${of} (${(100 * low).toFixed(0)} to ${(100 * high).toFixed(0)})`;
const round = (value: number | null): string => value?.toFixed(1) ?? "–";
const listed = (counts: Readonly<Partial<Record<string, number>>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");

/** A report on preferences for a terminal. */
export function shownBias(report: BiasReport): string {
  const { pairs } = report;
  const shares: [string, Share | null][] = [
    ["ties", report.ties],
    ["the longer answer wins", report.longerWins],
    ["the place decides", report.flips],
    ["the judge's own answer wins", report.ownWins],
    ["people agree with the pair", report.agreement],
  ];
  return [
    `questions: ${listed(report.questions)}`,
    `answers: ${listed(report.answers)}${report.unjudged > 0 ? `; ${report.unjudged} without a judgement` : ""}`,
    ...(Object.keys(report.scores).length > 0 ? [`scores: ${listed(report.scores)}`] : []),
    "",
    table(
      ["judge", "share (95 % interval)"],
      shares.flatMap(([name, share]) => (share ? [[name, percent(share)]] : [])),
    ),
    "",
    table(
      ["side", "pairs", "words", "unsupported"],
      [
        ["chosen", String(pairs.count), round(pairs.chosenWords), round(pairs.chosenUnsupported)],
        ["rejected", String(pairs.count), round(pairs.rejectedWords), round(pairs.rejectedUnsupported)],
      ],
    ),
    ...(pairs.skewed > 0 ? [`${pairs.skewed} pairs dropped, so that both sides are of one length`] : []),
    ...(report.judgeIsAsked ? ["The judge judges its own answers."] : []),
    ...(report.cost > 0 ? [`cost ${report.cost.toPrecision(3)}`] : []),
  ].join("\n");
}
