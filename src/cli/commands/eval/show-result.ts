import { coverage, formatMetric, type Published, type Result } from "../../../evaluation/index.ts";
import { table } from "../../frame/table.ts";

/** A result as a table with intervals, coverage and the published scores beside it. */
export function showResult(result: Omit<Result, "outcomes">, published: readonly Published[]): string {
  const { title, split, model, judge, scores, counts, compat, differences, replies } = result;
  const rows = scores.map(({ name, value, low, high, digits, count }) => [
    name,
    formatMetric(value, digits),
    `[${formatMetric(low, digits)}, ${formatMetric(high, digits)}]`,
    String(count),
  ]);
  const about = [split, compat ? "compat" : "", judge === null ? "" : `judged by ${judge}`].filter(Boolean);
  return [
    `${title} (${about.join(", ")}): ${model}`,
    table(["metric", "score", "95 % interval", "n"], rows),
    describeCounts(counts),
    ...differences.map((difference) => `Differs from the official scorer: ${difference}`),
    ...showReplies(replies),
    ...showPublished(
      published,
      scores.map(({ name }) => name),
    ),
  ].join("\n");
}

/** Whether verdicts are what the judge's words say. */
function showReplies(replies: Result["replies"]): string[] {
  if (replies === null) return [];
  const { read, differing } = replies;
  const words = (verdict: object | null): string =>
    verdict === null ? "not readable" : JSON.stringify(verdict).replaceAll('"', "");
  return [
    `${read} replies of the judge read again: ${differing.length === 0 ? "all as its verdicts" : `${differing.length} not as its verdicts`}`,
    ...differing.map(
      ({ id, verdict, reading }) => `  ${id}: verdict ${words(verdict)}, reply ${words(reading)}`,
    ),
  ];
}

/** A row a model, a column a metric. */
function showPublished(published: readonly Published[], names: readonly string[]): string[] {
  const metrics = names.filter((name) => published.some(({ metric }) => metric === name));
  if (metrics.length === 0) return [];
  const models = [...new Set(published.map(({ model }) => model))];
  const value = (model: string, metric: string): string =>
    String(published.find((other) => other.model === model && other.metric === metric)?.value ?? "");
  return [
    table(
      ["published", ...metrics],
      models.map((model) => [model, ...metrics.map((metric) => value(model, metric))]),
    ),
  ];
}

/** One line; "coverage" first where the scores leave something out. */
function describeCounts(counts: Result["counts"]): string {
  const { items, answered, failed, missing, unknown, judgeable, judged, unparsed, repeated = 0 } = counts;
  const share = coverage(counts);
  const notes = [
    share < 1 && `coverage ${formatMetric(Math.floor(share * 1000) / 10, 1)} %`,
    `${answered} of ${items} questions answered`,
    failed > 0 && `${failed} failed`,
    missing > 0 && `${missing} missing`,
    unknown > 0 && `${unknown} answers to unknown questions left out`,
    judgeable > 0 && `${judged} of ${judgeable} judged`,
    unparsed > 0 && `${unparsed} answers not readable, counted as wrong`,
    repeated > 0 && `${repeated} questions answered more than once; of different answers none counts`,
  ];
  return notes.filter(Boolean).join("; ");
}
