import { z } from "zod";
import type { Answer, JudgedAnswer } from "../../benchmark.ts";
import { readJsonDocument } from "../../dataset-files/index.ts";

const answersSchema = z.record(z.string().startsWith("v1_"), z.string());

/** {"v1_0": answer, …} as MM-Vet's evaluator takes it; undefined for any other file. */
export async function readAnswers(path: string): Promise<AsyncIterable<Answer> | undefined> {
  if (!path.endsWith(".json")) return undefined;
  const parsed = answersSchema.safeParse(await readJsonDocument(path));
  return parsed.success ? each(parsed.data) : undefined;
}

async function* each(answers: Record<string, string>): AsyncGenerator<Answer> {
  for (const [id, text] of Object.entries(answers)) yield { id, text };
}

/** In LLaVA's rows, question 0 is v1_0. */
export function answerId({ question_id: id }: Readonly<Record<string, unknown>>): string | undefined {
  return typeof id === "number" || typeof id === "string" ? String(id).replace(/^(?=\d)/, "v1_") : undefined;
}

const gradesSchema = z.record(
  z.string(),
  z.object({
    model: z.array(z.string()),
    content: z.array(z.string()),
    score: z.array(z.number()).min(1),
  }),
);

/** Grades of one or more runs of the judge, as MM-Vet's evaluator stores them. */
export async function readGrades(path: string): Promise<AsyncIterable<JudgedAnswer> | undefined> {
  if (!path.endsWith(".json")) return undefined;
  const parsed = gradesSchema.safeParse(await readJsonDocument(path));
  return parsed.success ? grades(parsed.data) : undefined;
}

async function* grades(rows: z.infer<typeof gradesSchema>): AsyncGenerator<JudgedAnswer> {
  for (const [id, { model, content, score }] of Object.entries(rows)) {
    const mean = score.reduce((sum, grade) => sum + grade, 0) / score.length;
    const runs = score.length === 1 ? [] : score.map((grade, run) => [`run ${run + 1}`, grade] as const);
    yield {
      id,
      verdict: { score: mean, ...Object.fromEntries(runs) },
      reply: score.length === 1 ? content[0] : undefined,
      judge: model[0],
    };
  }
}
