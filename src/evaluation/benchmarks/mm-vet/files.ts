import { z } from "zod";
import type { Answer, JudgedAnswer } from "../../benchmark.ts";
import { documentReader } from "../../dataset-files/index.ts";

const answersSchema = z.record(z.string().startsWith("v1_"), z.string());

/** {"v1_0": answer, …} as MM-Vet's evaluator takes it; undefined for any other file. */
export const readAnswers = documentReader(answersSchema, (answers): Answer[] =>
  Object.entries(answers).map(([id, text]) => ({ id, text })),
);

/** In LLaVA's rows, question 0 is v1_0. */
export function answerId({ question_id: id }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof id === "number" || typeof id === "string" ? String(id).replace(/^(?=\d)/, "v1_") : undefined;
}

const gradeSchema = z.object({
  model: z.array(z.string()),
  content: z.array(z.string()),
  score: z.array(z.number()).min(1),
});
type Grades = z.output<typeof gradeSchema>;
const gradesSchema = z.record(z.string(), gradeSchema);

/** Grades of one or more runs of the judge, as MM-Vet's evaluator stores them. */
export const readGrades = documentReader(gradesSchema, (rows) => Object.entries(rows).map(judgedAnswer));

function judgedAnswer([id, { model, content, score }]: [string, Grades]): JudgedAnswer {
  const mean = score.reduce((sum, grade) => sum + grade, 0) / score.length;
  const runs = score.length === 1 ? [] : score.map((grade, run) => [`run ${run + 1}`, grade] as const);
  return {
    id,
    verdict: { score: mean, ...Object.fromEntries(runs) },
    reply: score.length === 1 ? content[0] : undefined,
    judge: model[0],
  };
}
