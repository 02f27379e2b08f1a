import { z } from "zod";
import type { Answer } from "../../benchmark.ts";
import { check, firstLineFits, readLines } from "../../files/index.ts";

/** What the datasets of all SEED-Benches say of a question, its options and its right answer. */
export const choiceFields = {
  question: z.string(),
  choice_a: z.string(),
  choice_b: z.string(),
  choice_c: z.string(),
  choice_d: z.string(),
  answer: z.string(),
};

/** Rows of a leaderboard's file: predictions, some beside right answers, a line each that may end in a comma. */
export async function* leaderboardRows(path: string): AsyncGenerator<{ value: unknown; where: string }> {
  for await (const { text, line } of readLines(path)) {
    const row = text.trim().replace(/,$/, "");
    if (row === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(row);
    } catch {
      value = undefined;
    }
    yield { value, where: `${path}:${line}` };
  }
}

const schema = z.looseObject({ question_id: z.string(), prediction: z.string() });

/** Files for the leaderboard: question_id and prediction, a line each. */
export const readLeaderboard = async (path: string): Promise<AsyncIterable<Answer> | undefined> =>
  (await firstLineFits(path, schema)) ? predictions(path) : undefined;

/** The dataset asks some questions twice: of two different answers to one neither counts. */
async function* predictions(path: string): AsyncGenerator<Answer> {
  const given = new Map<string, string>();
  for await (const { value, where } of leaderboardRows(path)) {
    const { question_id: id, prediction } = check(schema, value, where);
    const before = given.get(id);
    given.set(id, before === undefined || before === prediction ? prediction : "");
  }
  for (const [id, text] of given) yield { id, text };
}
