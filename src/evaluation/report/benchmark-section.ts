import { barChart, type Markup, markup, Markup as Raw } from "../../charts/index.ts";
import { formatMetric } from "../results/format-metric.ts";
import type { OutcomeRow, Result } from "../results/result.ts";
import { exampleCard, flipCard } from "./examples.ts";
import { type Flips, findFlips } from "./flips.ts";
import { fullMarks } from "./overview.ts";
import { table } from "./page.ts";
import type { Pictures } from "./pictures.ts";
import { provenance } from "./provenance.ts";
import { coverageCell, headlineOf, scoreCell, wilsonInterval } from "./scores.ts";
import { Shortlist, worstFirst } from "./selection.ts";
import { type BenchmarkGroup, namesOf, type ReportSource } from "./source.ts";

export interface SectionOptions {
  readonly pictures: Pictures;
  /** Worst examples of each model, and flips each way of each pair. */
  readonly examples: number;
}

/** Everything about one benchmark: scores, slices, tables, differences, worst examples, provenance. */
export async function benchmarkSection(group: BenchmarkGroup, options: SectionOptions): Promise<Markup> {
  const { title, anchor, sources } = group;
  const names = namesOf(sources);
  const parts: Markup[] = [];
  for (const [index, source] of sources.entries()) {
    if (index > 0) parts.push(await flipsPart(sources[0]!, source, [names[0]!, names[index]!], options));
  }
  for (const [index, source] of sources.entries())
    parts.push(await worstPart(source, names[index]!, options));
  return markup`<section><h2 id="${anchor}">${title}</h2>${warnings(sources)}
${scoreTable(sources, names)}
<div class="charts" style="margin-top:14px">${sliceChart(sources, names)}${labelCharts(sources, names)}</div>
${parts}${publishedPart(group)}
${sources.map(({ result }, index) => provenance(result, names[index]!))}
</section>
`;
}

/** What makes scores of one benchmark not comparable, with one another or with published ones. */
function warnings(sources: readonly ReportSource[]): Markup[] {
  const differing = (of: (result: Result) => unknown): boolean =>
    new Set(sources.map(({ result }) => of(result))).size > 1;
  const notes = [
    differing(({ judge }) => judge) &&
      "Different judges scored these results: the numbers are not comparable.",
    differing(({ prompts }) => prompts) &&
      "These results come from different prompts or questions: compare them with care.",
  ];
  const differences = [...new Set(sources.flatMap(({ result }) => result.differences))];
  notes.push(...differences.map((difference) => `Differs from the official scorer: ${difference}`));
  return notes.filter((note) => note !== false).map((note) => markup`<p class="note">${note}</p>`);
}

/** A table with more metrics starts with a few; all can be unfolded. */
const [mostRows, fewRows] = [16, 5];

function scoreTable(sources: readonly ReportSource[], names: readonly string[]): Markup {
  const metrics = [...new Set(sources.flatMap(({ result }) => result.scores.map(({ name }) => name)))];
  const columns = [
    { name: "Metric" },
    ...names.map((name) => ({ name, isNumber: true })),
    { name: "Questions", isNumber: true },
  ];
  const rows = metrics.map((metric) => {
    const found = sources.map(({ result }) => result.scores.find(({ name }) => name === metric));
    const counts = new Set(found.flatMap((score) => score?.count ?? []));
    return [metric, ...found.map((score) => (score ? scoreCell(score) : "–")), [...counts].join(", ")];
  });
  const about = (name: string, of: (source: ReportSource) => Markup | string) => [
    markup`<span class="quiet">${name}</span>`,
    ...sources.map(of),
    "",
  ];
  const coverage = about("questions covered", ({ result }) => coverageCell(result));
  const judges = about("judge", ({ result }) => markup`<bdi>${result.judge ?? "none"}</bdi>`);
  if (rows.length <= mostRows) return table(columns, [...rows, coverage, judges]);
  return markup`${table(columns, [...rows.slice(0, fewRows), coverage, judges])}
<details><summary>All ${String(rows.length)} metrics</summary>${table(columns, rows)}</details>`;
}

/** Metrics that are the headline's in a slice: "accuracy/adversarial" of "accuracy". */
function slicesOf(sources: readonly ReportSource[]): string[] {
  const [metric] = headlineOf(sources[0]!.result).name.split("/");
  const names = new Set(sources.flatMap(({ result }) => result.scores.map(({ name }) => name)));
  return [...names].filter((name) => name.startsWith(`${metric}/`));
}

const sliceName = (metric: string): string => metric.slice(metric.indexOf("/") + 1);

function sliceChart(sources: readonly ReportSource[], names: readonly string[]): Markup | undefined {
  const { name: headline, digits } = headlineOf(sources[0]!.result);
  const [metric = headline] = headline.split("/");
  const slices = slicesOf(sources);
  if (slices.length < 2) return undefined;
  const series = sources.map(({ result }, index) => ({
    name: names[index]!,
    bars: slices.map((slice) => result.scores.find(({ name }) => name === slice)),
  }));
  const values = series.flatMap(({ bars }) => bars.flatMap((bar) => bar?.value ?? []));
  return new Raw(
    barChart(slices.map(sliceName), series, {
      title: `${metric} by slice, with 95 % intervals`,
      width: 1040,
      x: { label: metric, include: [fullMarks(values)] },
      format: (value) => formatMetric(value, digits),
    }),
  );
}

const mostBars = 60;

/** Mean credit by the values of each label, in percent, unless the slices show it. */
function labelCharts(sources: readonly ReportSource[], names: readonly string[]): Markup[] {
  const labels = [...new Set(sources.flatMap(({ result }) => Object.keys(result.tables)))];
  const shown = new Set(slicesOf(sources).map(sliceName));
  return labels.flatMap((label) => {
    const values = [...new Set(sources.flatMap(({ result }) => Object.keys(result.tables[label] ?? {})))];
    if (values.length < 2 || values.every((value) => shown.has(value))) return [];
    const series = sources.map(({ result }, index) => ({
      name: names[index]!,
      bars: values.slice(0, mostBars).map((value) => {
        const cell = result.tables[label]?.[value];
        if (!cell) return undefined;
        const [low, high] = wilsonInterval(cell.credit, cell.count);
        return { value: 100 * cell.credit, low: 100 * low, high: 100 * high };
      }),
    }));
    const counts = values.slice(0, mostBars).map((value) => {
      const found = sources.map(({ result }) => result.tables[label]?.[value]?.count ?? 0);
      return `${value} (${Math.max(...found).toLocaleString("en")})`;
    });
    const rest = values.length - mostBars;
    const more = rest > 0 ? `, first ${mostBars} of ${values.length}` : "";
    const chart = barChart(counts, series, {
      title: `Mean credit by ${label}, with 95 % Wilson intervals (questions)${more}`,
      width: 1040,
      x: { label: "mean credit, %", include: [100] },
    });
    return [new Raw(chart)];
  });
}

async function worstPart(source: ReportSource, name: string, options: SectionOptions): Promise<Markup> {
  const { pictures, examples } = options;
  const shortlist = new Shortlist<OutcomeRow>(examples, worstFirst);
  for await (const row of source.outcomes()) if (row.credit < 1) shortlist.add(row);
  const rows = shortlist.take();
  if (rows.length === 0) return markup`<p>${name} earned full marks on all questions.</p>`;
  const cards: Markup[] = [];
  for (const row of rows) cards.push(await exampleCard(row, pictures));
  return markup`<details open><summary>Worst examples: <bdi>${name}</bdi></summary><div class="cards">${cards}</div></details>`;
}

async function flipsPart(
  before: ReportSource,
  after: ReportSource,
  names: readonly [string, string],
  { examples, pictures }: SectionOptions,
): Promise<Markup> {
  const flips = await findFlips(before.outcomes(), after.outcomes(), examples);
  const cards = async (list: Flips["gains"]): Promise<Markup[]> => {
    const made: Markup[] = [];
    for (const flip of list) made.push(await flipCard(flip, names, pictures));
    return made;
  };
  const { common, gained, lost } = flips;
  const count = (value: number): string => value.toLocaleString("en");
  return markup`<h3>From <bdi>${names[0]}</bdi> to <bdi>${names[1]}</bdi></h3>
<p>Of ${count(common)} common questions, <span class="good">${count(gained)} gained</span> and <span class="bad">${count(lost)} lost</span> half of full marks or more.</p>
${gained > 0 && markup`<details><summary>Gained (${String(flips.gains.length)} shown)</summary><div class="cards">${await cards(flips.gains)}</div></details>`}
${lost > 0 && markup`<details><summary>Lost (${String(flips.losses.length)} shown)</summary><div class="cards">${await cards(flips.losses)}</div></details>`}`;
}

function publishedPart({ sources }: BenchmarkGroup): Markup | undefined {
  const { published } = sources[0]!;
  if (published.length === 0) return undefined;
  const rows = published.map(({ model, metric, value, source }) => [model, metric, String(value), source]);
  return markup`<details><summary>Published scores</summary>${table([{ name: "Model" }, { name: "Metric" }, { name: "Score", isNumber: true }, { name: "Printed in" }], rows)}</details>`;
}
