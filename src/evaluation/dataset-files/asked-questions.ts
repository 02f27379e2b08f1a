import { z } from "zod";
import { readCheckedLines } from "./checked-lines.ts";

const id = z.union([z.string(), z.number()]).transform(String);
const schema = z.object({
  question_id: id,
  image: z.string(),
  question: z.string(),
  answer: z.union([z.string().transform((answer) => [answer]), z.array(z.string())]).optional(),
});

export interface AskedQuestion {
  readonly id: string;
  /** Relative to the folder of the images. */
  readonly image: string;
  /** As the model is asked, with options and the suffix that asks for a form of answer. */
  readonly question: string;
  /** Accepted answers; undefined for splits that keep them back. */
  readonly answers?: readonly string[] | undefined;
}

/** Questions in the form that evaluations of LLaVA models share: question_id, image, question, answer, a line each. */
export async function* readAskedQuestions(path: string): AsyncGenerator<AskedQuestion> {
  for await (const { question_id, image, question, answer } of readCheckedLines(path, schema)) {
    yield { id: question_id, image, question, answers: answer };
  }
}
