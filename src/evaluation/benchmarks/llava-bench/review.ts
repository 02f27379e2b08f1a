import type { Message } from "../../../protocol/index.ts";
import type { BenchmarkItem, JudgeProtocol, Metric, Outcome, Verdict } from "../../benchmark.ts";
import { question } from "../../prompting/index.ts";
import { roundHalfEven } from "../../python/index.ts";
import { readReviews } from "./review-files.ts";
import { officialShownImage } from "./rules.ts";

/** A question whose answer a judge rates beside a reference answer. */
export interface ReviewedItem extends BenchmarkItem {
  readonly image?: string | undefined;
  readonly question: string;
  readonly reference: string;
  /** What a judge that sees no image is told of it. */
  readonly context?: string | undefined;
  /** What the judge is told to do. */
  readonly rule: string;
  readonly compat: boolean;
}

/** The question as it is, after its image. */
const plainQuestion = (item: ReviewedItem): readonly Message[] =>
  question(item.question, ...(item.image ? [item.image] : []));

/** What the judge reads, but for the image; the reference is always the first assistant. */
const reviewText = ({ context, question, reference, rule }: ReviewedItem, answer: string): string =>
  `${context === undefined ? "" : `[Context]\n${context}\n\n`}[Question]\n${question}\n\n` +
  `[Assistant 1]\n${reference}\n\n[End of Assistant 1]\n\n` +
  `[Assistant 2]\n${answer}\n\n[End of Assistant 2]\n\n[System]\n${rule}\n\n`;

/** The originals mark failed reviews by -1, which they average with the others, as compat does, or by -999. */
const failed = (verdict: Verdict, { compat }: ReviewedItem): boolean =>
  Object.values(verdict).some((score) => Number(score) < (compat ? -1 : 0));

/** A judge that reads (LLaVA, llava/eval/eval_gpt_review.py and its variants for captions and boxes). */
export const textJudge: JudgeProtocol<ReviewedItem> = {
  model: "gpt-4-0314",
  official: "same",
  sampling: { temperature: 0.2, maxTokens: 1024 },
  prompt: (item, answer) => [
    {
      role: "system",
      content: "You are a helpful and precise assistant for checking the quality of the answer.",
    },
    { role: "user", content: reviewText(item, answer) },
  ],
  parse: readScores,
  failed,
};

const imageReview = (item: ReviewedItem, answer: string): readonly Message[] =>
  question(reviewText(item, answer), ...(item.image ? [item.image] : []));

/** A judge that sees the image (LLaVA-Bench Wilder). */
export const imageJudge: JudgeProtocol<ReviewedItem> = {
  model: "gpt-4-vision-preview",
  sampling: { temperature: 0, maxTokens: 1024 },
  official: {
    licence: "LLaVA-Bench Wilder in lmms-eval, Apache-2.0, Copyright LMMs-Lab",
    prompt: (item, answer) => imageReview({ ...item, rule: officialShownImage }, answer),
  },
  prompt: imageReview,
  parse: readScores,
  failed,
};

/**
 * Two numbers, alone on the first line. The original wants exactly one space or comma between them and takes any
 * number, and so does compat.
 */
export function readScores(reply: string, { compat }: ReviewedItem): Verdict | undefined {
  const line = (compat ? reply : reply.trimStart()).split("\n")[0]!;
  const scores = compat ? line.replaceAll(",", " ").split(" ") : line.trim().split(/[\s,]+/);
  if (scores.length !== 2 || !scores.every((score) => /^\s*[+-]?(\d+\.?\d*|\.\d+)\s*$/.test(score)))
    return undefined;
  const [reference, model] = scores.map(Number) as [number, number];
  return compat || scores.every((score) => Number(score) >= 0 && Number(score) <= 10)
    ? { reference, model }
    : undefined;
}

function reviewOutcome(item: ReviewedItem, _answer: string, verdict?: Verdict): Outcome {
  const outcome = { id: item.id, group: item.image ?? item.id, truth: item.reference };
  const labels = item.labels && { labels: item.labels };
  if (verdict === undefined) return { ...outcome, ...labels, credit: 0 };
  const [reference, model] = [Number(verdict["reference"]), Number(verdict["model"])];
  return {
    ...outcome,
    ...labels,
    credit: Math.min(1, Math.max(0, model / 10)),
    parsed: reference < 0 || model < 0 ? undefined : `${reference} ${model}`,
    values: { reference, model, compat: Number(item.compat) },
  };
}

const names = ["relative", "reference", "model"] as const;

interface Sums {
  reference: number;
  model: number;
  count: number;
  compat: boolean;
}
const nothing: Sums = { reference: 0, model: 0, count: 0, compat: false };

/**
 * The model's mean score by the reference's in percent, of all questions and of each category, and both means
 * times ten. In compat the means are rounded to three places first, as in LLaVA's summarize_gpt_review.py, which
 * can change the last digit.
 */
function relativeScores(outcomes: readonly Outcome[]): readonly Metric[] {
  const total: Sums = { ...nothing };
  const slices = new Map<string, Sums>();
  for (const { values, labels } of outcomes) {
    if (values === undefined) continue;
    const category = labels?.["category"];
    const slice = category === undefined ? undefined : (slices.get(category) ?? { ...nothing });
    if (slice) slices.set(category!, slice);
    for (const sums of slice ? [total, slice] : [total]) {
      sums.reference += values["reference"]!;
      sums.model += values["model"]!;
      sums.count++;
      sums.compat = values["compat"] === 1;
    }
  }
  const inOrder = [["", total] as const, ...[...slices].sort(([a], [b]) => (a < b ? -1 : 1))];
  return names.flatMap((name) =>
    inOrder.map(([slice, sums]) => ({
      name: slice === "" ? name : `${name}/${slice}`,
      value: summary(sums)[name],
      count: sums.count,
      digits: 1,
    })),
  );
}

function summary({ reference, model, count, compat }: Sums): Record<(typeof names)[number], number> {
  const round = (value: number, digits: number): number => (compat ? roundHalfEven(value, digits) : value);
  const [first, second] = [reference, model].map((sum) => round(sum / Math.max(count, 1), 3)) as [
    number,
    number,
  ];
  return {
    relative: first === 0 ? 0 : round((second / first) * 100, 1),
    reference: round(first * 10, 1),
    model: round(second * 10, 1),
  };
}

/** What benchmarks have in common whose answers are reviewed. */
export const reviewed = {
  headline: "relative",
  compat:
    "reviews that failed count as −1; scores are read from the reply's very first line, and means rounded to three places",
  prompt: plainQuestion,
  outcome: reviewOutcome,
  aggregate: relativeScores,
  readVerdicts: readReviews,
} as const;
