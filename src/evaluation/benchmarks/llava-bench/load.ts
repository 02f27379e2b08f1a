import { z } from "zod";
import { LlavaError } from "../../../errors.ts";
import { readCheckedLines, type TableFiles, tableRows } from "../../dataset-files/index.ts";
import type { ReviewedItem } from "./review.ts";

const id = z.union([z.int(), z.string()]).transform(String);

const questionSchema = z.object({
  question_id: id,
  image: z.string(),
  text: z.string(),
  category: z.string(),
});
const answerSchema = z.object({ question_id: id, text: z.string() });

export type Question = z.infer<typeof questionSchema>;

export const readQuestions = (path: string): AsyncGenerator<Question> =>
  readCheckedLines(path, questionSchema);

/** Reference answers by question, so that files in another order fit too; the original pairs lines. */
export async function readReferences(path: string): Promise<(questionId: string) => string> {
  const references = new Map<string, string>();
  for await (const { question_id, text } of readCheckedLines(path, answerSchema)) {
    references.set(question_id, text);
  }
  return (questionId) => references.get(questionId) ?? lacks(path, `question ${questionId}`);
}

/** A text about each image, by the name of its file. */
export async function readContexts<Row extends { image: string }>(
  path: string,
  schema: z.ZodType<Row>,
  describe: (row: Row) => string,
): Promise<(image: string) => string> {
  const contexts = new Map<string, string>();
  for await (const row of readCheckedLines(path, schema)) {
    contexts.set(row.image, describe(row));
  }
  return (image) => contexts.get(image) ?? lacks(path, `image ${image}`);
}

/** What tells tables of such questions: lmms-lab's, and VLMEvalKit's. */
export const tableLayouts = [
  { columns: ["question_id", "question", "category", "gpt_answer", "caption"] },
  { columns: ["index", "question", "category", "gpt4_ans", "caption"] },
];

/** Questions of a table that has the reference answer and the description of the image beside each. */
export async function* tableItems(
  table: TableFiles,
  rule: string,
  compat: boolean,
): AsyncGenerator<ReviewedItem> {
  for await (const row of tableRows(table))
    yield {
      id: row.text("question_id", "index"),
      labels: { category: row.text("category") },
      image: row.image(),
      question: row.text("question"),
      reference: row.text("gpt_answer", "gpt4_ans"),
      context: row.text("caption"),
      rule,
      compat,
    };
}

function lacks(path: string, what: string): never {
  throw new LlavaError("data", `${path}: has no line for ${what}`, {
    hint: "Take all files from one release of the benchmark.",
  });
}
