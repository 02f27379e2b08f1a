import { z } from "zod";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer } from "../../benchmark.ts";
import { readJsonDocument } from "../../dataset-files/index.ts";
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
export async function readPredictions(path: string): Promise<Iterable<Answer> | undefined> {
  if (await firstLineFits(path, answerSchema)) return undefined;
  const document = await readJsonDocument(path);
  const scored = scoredSchema.safeParse(document).data;
  if (scored)
    return [...scored.correct, ...scored.incorrect].map(({ question_id: id, pred }) => ({ id, text: pred }));
  const result = resultSchema.safeParse(document).data;
  return result && resultAnswers(result);
}

/**
 * What the model wrote; or the choice that the file records, where it wrote nothing or stated several and the dataset's
 * scorer took one.
 */
function* resultAnswers({ results, outputs }: z.output<typeof resultSchema>): Generator<Answer> {
  for (const [id, choice] of Object.entries(results)) {
    const written = outputs?.[id] ?? "";
    const chosen = letters[choice] ?? "";
    const isOpen =
      written === "" || (statedLetter(written) === undefined && written.includes(`The answer is ${chosen}.`));
    yield { id, text: isOpen ? chosen : written };
  }
}
