import { extent, ticks } from "d3-array";
import { linearRegression, type Regression, scatterChart, type Theme } from "../../charts/index.ts";
import { LlavaError } from "../../errors.ts";
import type { StudyModel } from "./models.ts";

/** How a benchmark's score goes with the language model's. */
export interface StudyRelation {
  readonly benchmark: string;
  readonly points: readonly {
    readonly name: string;
    readonly params: number | undefined;
    readonly x: number;
    readonly y: number;
    readonly sources: readonly [x: string | undefined, y: string | undefined];
  }[];
  /** Undefined for fewer than two points. */
  readonly regression: Omit<Regression, "band"> | undefined;
  /** The line and its 95 % confidence band at some x; empty for fewer than three points. */
  readonly band: readonly {
    readonly x: number;
    readonly y: number;
    readonly low: number;
    readonly high: number;
  }[];
  /** Models whose score on this benchmark is not known. */
  readonly lacking: readonly string[];
}

export interface Study {
  /** The benchmark of language, on the x axis. */
  readonly language: string;
  /** Models without a score of language: they are in no relation. */
  readonly withoutLanguage: readonly string[];
  readonly relations: readonly StudyRelation[];
}

/**
 * Language against vision, after the LLaVA-NeXT release of 2024-05-10 on stronger language models: a least-squares line
 * per benchmark over the models' scores of language. `benchmarks` are listed even where no model has a score.
 */
export function studyLanguage(
  models: readonly StudyModel[],
  { language = "mmlu", benchmarks = [] }: { language?: string; benchmarks?: readonly string[] } = {},
): Study {
  const known = models.filter(({ scores }) => scores[language] !== undefined);
  if (known.length === 0)
    throw new LlavaError("data", `no model has a score of ${language}`, {
      hint: `Add "${language}" to the models, or name another language benchmark.`,
    });
  const found = models.flatMap(({ scores }) => Object.keys(scores));
  const names = [...new Set([...benchmarks, ...found])].filter((name) => name !== language);
  return {
    language,
    withoutLanguage: models.filter((model) => !known.includes(model)).map(({ name }) => name),
    relations: names.map((benchmark) => relate(known, language, benchmark)),
  };
}

function relate(models: readonly StudyModel[], language: string, benchmark: string): StudyRelation {
  const points = models.flatMap(({ name, params, scores, sources }) => {
    const [x, y] = [scores[language], scores[benchmark]];
    if (x === undefined || y === undefined) return [];
    return [{ name, params, x, y, sources: [sources[language], sources[benchmark]] as const }];
  });
  const lacking = models.filter(({ scores }) => scores[benchmark] === undefined).map(({ name }) => name);
  const fit = linearRegression(points.map(({ x, y }) => [x, y]));
  if (!fit) return { benchmark, points, regression: undefined, band: [], lacking };
  const { band: bandAt, ...regression } = fit;
  const [low = 0, high = 0] = extent(points, ({ x }) => x);
  const stops = [low, ...ticks(low, high, 20).filter((x) => x > low && x < high), high];
  const band = stops.flatMap((x) => {
    const ends = bandAt(x);
    return ends ? [{ x, y: fit.intercept + fit.slope * x, low: ends[0], high: ends[1] }] : [];
  });
  return { benchmark, points, regression, band, lacking };
}

/** A relation as SVG: circles as large as the models, the line, its band. */
export function studyChart(
  { benchmark, points }: StudyRelation,
  language: string,
  theme: Theme = "auto",
): string {
  const [x, y] = [titleOf(language), titleOf(benchmark)];
  return scatterChart(
    points.map(({ name, params, x, y }) => ({ label: name, x, y, size: params })),
    {
      title: `${y} against ${x}`,
      description: `${y} and ${x} of ${points.length} models: ${points.map((point) => `${point.name} ${point.x}, ${point.y}`).join("; ")}. Circles grow with the language model's parameters.`,
      x: { label: `${x} of the language model` },
      y: { label: y },
      regression: true,
      theme,
    },
  );
}

const titles: Readonly<Record<string, string>> = {
  mmlu: "MMLU",
  mmmu: "MMMU",
  mathvista: "MathVista",
  mmbench: "MMBench",
  ai2d: "AI2D",
  "llava-w": "LLaVA-W",
  docvqa: "DocVQA",
  chartqa: "ChartQA",
};

export const titleOf = (benchmark: string): string => titles[benchmark] ?? benchmark;
