import { basename } from "node:path";
import { LlavaError } from "../../../errors.ts";
import { readLines } from "../../../files/index.ts";

export const perception: readonly string[] =
  "existence count position color posters celebrity scene landmark artwork OCR".split(" ");
export const cognition: readonly string[] =
  "commonsense_reasoning numerical_calculation text_translation code_reasoning".split(" ");
export const categories: readonly string[] = [...perception, ...cognition];

/** What the questions of the original end with; LLaVA asks for a short answer instead. */
const ending = /\s*Please answer yes or no\.$/;

export const plainQuestion = (asked: string): string => asked.trim().replace(ending, "").trim();

/** An image has two questions: the id is the image without its folder, and the question. */
export const idOf = (category: string, image: string, asked: string): string =>
  `${category}/${basename(image)} ${plainQuestion(asked)}`;

export interface Row {
  readonly image: string;
  readonly asked: string;
  readonly answer: string;
}

/** The evaluation tool's tables, one a category: image, question, right answer, and in results a model's reply. */
export async function* tableRows(path: string): AsyncGenerator<Row & { readonly reply?: string }> {
  for await (const { text, line } of readLines(path)) {
    if (text.trim() === "") continue;
    const [image, asked, answer, ...reply] = text.split("\t");
    if (image === undefined || asked === undefined || answer === undefined)
      throw new LlavaError("data", `${path}:${line}: expected image, question and answer, parted by tabs`, {
        hint: "Check that this is the dataset's original file.",
      });
    yield { image, asked, answer, ...(reply.length > 0 && { reply: reply.join("\t") }) };
  }
}
