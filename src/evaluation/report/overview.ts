import { type Markup, markup, Markup as Raw, radarChart } from "../../charts/index.ts";
import { table } from "./page.ts";
import { coverageCell, headlineOf, scoreCell } from "./scores.ts";
import type { BenchmarkGroup } from "./source.ts";

const columns = [
  { name: "Benchmark" },
  { name: "Model" },
  { name: "Score (95 % interval)", isNumber: true },
  { name: "Questions covered", isNumber: true },
  { name: "Judge" },
  { name: "Published" },
];

/** All results in one table, published scores beside, and a radar where models meet on three benchmarks or more. */
export function overview(groups: readonly BenchmarkGroup[]): Markup {
  const rows = groups.flatMap(({ title, anchor, sources }) =>
    sources.map(({ result, published }) => {
      const headline = headlineOf(result);
      const beside = published.filter(({ metric }) => metric === headline.name);
      return [
        markup`<a href="#${anchor}">${title}</a><br><small>${headline.name}</small>`,
        markup`<bdi>${result.model}</bdi>`,
        scoreCell(headline),
        coverageCell(result),
        markup`<bdi>${result.judge ?? "none"}</bdi>`,
        markup`<small>${beside.map(
          ({ model, value }, index) => markup`${index > 0 && ", "}${model} ${String(value)}`,
        )}</small>`,
      ];
    }),
  );
  return markup`<h2 id="overview">All results</h2>${table(columns, rows)}${radar(groups)}`;
}

function radar(groups: readonly BenchmarkGroup[]): Markup | undefined {
  if (groups.length < 3) return undefined;
  const models = [...new Set(groups.flatMap(({ sources }) => sources.map(({ result }) => result.model)))];
  const scores = groups.map(({ sources }) => {
    const byModel = new Map(sources.map(({ result }) => [result.model, headlineOf(result).value]));
    return models.map((model) => byModel.get(model));
  });
  const axes = groups.map(({ sources }, index) => ({
    name: sources[0]!.result.title,
    high: fullMarks(scores[index]!.filter((value) => value !== undefined)),
  }));
  const series = models.map((name, model) => ({ name, values: scores.map((row) => row[model]) }));
  const title = "Headline scores by benchmark";
  const description = models
    .map(
      (model, at) =>
        `${model}: ${axes.map(({ name }, row) => `${name} ${scores[row]![at] ?? "–"}`).join(", ")}`,
    )
    .join("; ");
  return markup`<div class="charts" style="margin-top:14px">${new Raw(radarChart(axes, series, { title, description, width: 1040 }))}</div>`;
}

/** Of shares 1, of percentages 100; else the round number above. */
export function fullMarks(values: readonly number[]): number {
  const highest = Math.max(0, ...values);
  if (highest <= 1) return 1;
  if (highest <= 100) return 100;
  const power = 10 ** Math.floor(Math.log10(highest));
  return Math.ceil(highest / power) * power;
}
