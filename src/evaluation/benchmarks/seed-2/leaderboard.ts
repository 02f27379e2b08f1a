import { z } from "zod";
import { readLines } from "../../../files/index.ts";

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
