import { z } from "zod";
import { withoutSuffix } from "../prompting/index.ts";
import { readCheckedLines } from "./checked-lines.ts";

const schema = z.object({
  question_id: z.union([z.string(), z.number()]),
  image: z.string(),
  text: z.string(),
  category: z.string().default("default"),
});

export interface LlavaQuestion {
  readonly id: string;
  /** Relative to the folder of the images. */
  readonly image: string;
  /** The question, without the suffix that asks for a form of answer. */
  readonly text: string;
  readonly category: string;
}

/** The questions of LLaVA's playground/data/eval: question_id, image, text, category, a line each. */
export async function* readLlavaQuestions(path: string, suffix: string): AsyncGenerator<LlavaQuestion> {
  for await (const { question_id, image, text, category } of readCheckedLines(path, schema)) {
    yield { id: String(question_id), image, text: withoutSuffix(text, suffix), category };
  }
}
