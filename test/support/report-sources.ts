import sharp from "sharp";
import type { OutcomeRow, ReportSource, Result } from "../../src/evaluation/index.ts";

/** An answer that tries to become part of the page, of a chart and of the terminal. */
export const hostile = `</dd><script>document.title="taken"</script><img src=x onerror=alert(1)>&amp;"'\u0000\u001b[31m\u202e`;

const picture = async (red: number): Promise<string> => {
  const background = { r: red, g: 90, b: 160 };
  const png = await sharp({ create: { width: 900, height: 600, channels: 3, background } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
};

const titles = { pope: "POPE", gqa: "GQA", mme: "MME", ai2d: "AI2D" };

/** Results of two models on four benchmarks; every answer is hostile, every fourth question has an image that is not there. */
export async function madeUpSources(): Promise<ReportSource[]> {
  const pictures = await Promise.all([40, 120, 200].map(picture));
  return Object.entries(titles).flatMap(([benchmark, title], index) =>
    ["LLaVA-1.5 7B", hostile].map((model, second) => {
      const rows = Array.from({ length: 40 }, (_, number): OutcomeRow => {
        const isRight = (number * 7 + index + second * 3) % (3 + second) !== 0;
        return {
          id: `${benchmark}-${number}`,
          credit: isRight ? 1 : 0,
          parsed: number % 5 === 0 ? undefined : "yes",
          truth: isRight ? "yes" : "no",
          labels: { split: ["adversarial", "popular", hostile][number % 3]! },
          answer: number === 0 ? "" : `${hostile} ${number}`,
          prompt: `<image>\nIs there a chair? ${hostile}`,
          images: number % 4 === 3 ? ["/nowhere/absent.jpg"] : [pictures[number % 3]!],
        };
      });
      return sourceOf(resultOf(benchmark, title, model, rows), rows);
    }),
  );
}

const sourceOf = (result: Result, rows: readonly OutcomeRow[]): ReportSource => ({
  result,
  published: [
    { model: "LLaVA-1.5 13B", metric: "accuracy", value: 85.94, source: "LLaVA, docs/MODEL_ZOO.md" },
  ],
  outcomes: async function* () {
    yield* rows;
  },
});

function resultOf(benchmark: string, title: string, model: string, rows: readonly OutcomeRow[]): Result {
  const share = (chosen: readonly OutcomeRow[]): number =>
    (100 * chosen.reduce((sum, { credit }) => sum + credit, 0)) / chosen.length;
  const splits = [...Map.groupBy(rows, ({ labels }) => labels!["split"]!)];
  const score = (name: string, chosen: readonly OutcomeRow[]) => {
    const value = share(chosen);
    return { name, value, low: value - 6, high: Math.min(100, value + 5), count: chosen.length, digits: 1 };
  };
  return {
    format: "llava-result-1",
    benchmark,
    title,
    split: "test",
    compat: false,
    differences: [`words are counted otherwise ${hostile}`],
    model,
    judge: null,
    headline: "accuracy",
    scores: [score("accuracy", rows), ...splits.map(([split, chosen]) => score(`accuracy/${split}`, chosen))],
    tables: {
      split: Object.fromEntries(
        splits.map(([split, chosen]) => [split, { credit: share(chosen) / 100, count: chosen.length }]),
      ),
    },
    counts: {
      items: 42,
      answered: 41,
      failed: 1,
      missing: 0,
      unknown: 0,
      judgeable: 0,
      judged: 0,
      scored: rows.length,
      unparsed: 8,
    },
    failures: [{ id: "q41", reason: hostile }],
    missing: [],
    unjudged: [],
    replies: null,
    judging: null,
    run: null,
    prompts: "0".repeat(64),
    sampling: { temperature: 0 },
    intervals: { resamples: 1000, seed: 0, drawn: 40, groups: 40 },
    versions: { llava: "0.1.0", node: "v24.21.0", commit: null },
    created: "2026-01-01T00:00:00.000Z",
    outcomes: "made-up.outcomes.jsonl",
  };
}
