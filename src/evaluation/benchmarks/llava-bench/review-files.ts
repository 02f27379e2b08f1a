import { z } from "zod";
import { firstLineFits, readJsonLines } from "../../../files/index.ts";
import type { JudgedAnswer } from "../../benchmark.ts";
import { check } from "../../dataset-files/index.ts";

const id = z.union([z.int(), z.string()]).transform(String);
const pair = z.tuple([z.number(), z.number()]);

/** A line of LLaVA's reviews, or of those of Vicuna's questions that came before it. */
const reviewSchema = z.union([
  z.object({ question_id: id, content: z.string(), tuple: pair }),
  z
    .object({ question_id: id, text: z.string(), score: pair, reviewer_id: z.string().optional() })
    .transform(({ question_id, text, score }) => ({ question_id, content: text, tuple: score })),
]);

/** The scores of assistants 1 and 2 with what the judge wrote. */
export const readReviews = async (path: string): Promise<AsyncIterable<JudgedAnswer> | undefined> =>
  (await firstLineFits(path, reviewSchema)) ? reviews(path) : undefined;

async function* reviews(path: string): AsyncGenerator<JudgedAnswer> {
  for await (const { value, line } of readJsonLines(path)) {
    const { question_id, content, tuple } = check(reviewSchema, value, `${path}:${line}`);
    yield { id: question_id, verdict: { reference: tuple[0], model: tuple[1] }, reply: content, line };
  }
}
