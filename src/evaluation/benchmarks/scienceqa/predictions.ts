import { z } from "zod";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer } from "../../benchmark.ts";
import { check, readJsonDocument } from "../../dataset-files/index.ts";
import { statedLetter } from "../../parsing/index.ts";
import { letters } from "../../prompting/index.ts";

const rowSchema = z.object({ question_id: z.string(), pred: z.string() });
/** What LLaVA's scorer writes: every answer, under whether it was right. */
const scoredSchema = z.object({ correct: z.array(rowSchema), incorrect: z.array(rowSchema) });
/** The dataset's result files: the chosen option of each problem, and mostly what the model wrote. */
const resultSchema = z.object({
  results: z.record(z.string(), z.int()),
  outputs: z.record(z.string(), z.string()).optional(),
});
const answerSchema = z.object({ question_id: z.union([z.string(), z.number()]) });

/** Answers from the files of LLaVA's and the dataset's own scorers; undefined for anything else. */
export async function readPredictions(path: string): Promise<AsyncIterable<Answer> | undefined> {
  if (await firstLineFits(path, answerSchema)) return undefined;
  const document = await readJsonDocument(path);
  if (scoredSchema.safeParse(document).success) return scoredAnswers(check(scoredSchema, document, path));
  if (resultSchema.safeParse(document).success) return resultAnswers(check(resultSchema, document, path));
  return undefined;
}

async function* scoredAnswers({ correct, incorrect }: z.output<typeof scoredSchema>): AsyncGenerator<Answer> {
  for (const { question_id: id, pred } of [...correct, ...incorrect]) yield { id, text: pred };
}

/**
 * What the model wrote; or the choice that the file records, where it wrote nothing or stated several and the dataset's
 * scorer took one.
 */
async function* resultAnswers({ results, outputs }: z.output<typeof resultSchema>): AsyncGenerator<Answer> {
  for (const [id, choice] of Object.entries(results)) {
    const written = outputs?.[id] ?? "";
    const chosen = letters[choice] ?? "";
    const isOpen =
      written === "" || (statedLetter(written) === undefined && written.includes(`The answer is ${chosen}.`));
    yield { id, text: isOpen ? chosen : written };
  }
}
