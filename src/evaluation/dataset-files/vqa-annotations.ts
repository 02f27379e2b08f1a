import { z } from "zod";
import { check } from "./check.ts";
import { isId, rowId, streamRows } from "./vqa-rows.ts";

const annotationSchema = z.object({
  question_id: rowId,
  answer_type: z.string().default("other"),
  answers: z.array(z.object({ answer: z.string() })),
});
type Row = z.output<typeof annotationSchema>;

/** What people answered to a question. */
export interface VqaAnnotation {
  readonly id: string;
  readonly answers: readonly string[];
  /** "yes/no", "number", "other" */
  readonly answerType: string;
}

/** The rows of a file of annotations, some hundred at a time. @throws LlavaError "data" naming the file and what is wrong */
export async function* readVqaAnnotations(path: string): AsyncGenerator<readonly VqaAnnotation[]> {
  for await (const rows of streamRows(path, "annotations"))
    yield rows.map((value) => {
      const { question_id, answer_type, answers } = isRow(value)
        ? value
        : check(annotationSchema, value, path);
      return {
        id: String(question_id),
        answers: answers.map(({ answer }) => answer),
        answerType: answer_type,
      };
    });
}

function isRow(value: unknown): value is Row {
  const row = value as Partial<Row> | null;
  if (!isId(row?.question_id) || typeof row?.answer_type !== "string" || !Array.isArray(row.answers))
    return false;
  for (const answer of row.answers) if (typeof answer?.answer !== "string") return false;
  return true;
}
