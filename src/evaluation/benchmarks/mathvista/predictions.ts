import { z } from "zod";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer, Rows, Verdict } from "../../benchmark.ts";
import { readCheckedLines, readJsonDocument } from "../../dataset-files/index.ts";
import { pythonText } from "../../python/index.ts";

const id = z.union([z.string(), z.number()]).transform(String);
const fields = {
  response: z.union([z.string(), z.number().transform(String)]).nullish(),
  extraction: z.unknown().optional(),
  prediction: z.string().nullish(),
  true_false: z.union([z.boolean(), z.literal(0), z.literal(1)]).nullish(),
};

/** A problem with what became of it: one of these is there. */
const holdsOne = (row: z.output<typeof plainSchema>): boolean =>
  typeof row.response === "string" || row.extraction != null || row.true_false != null;
const plainSchema = z.looseObject(fields);
const problemsSchema = z.record(z.string(), plainSchema.refine(holdsOne));
const rowSchema = z
  .union([z.looseObject({ ...fields, pid: id }), z.looseObject({ ...fields, question_id: id })])
  .refine((row) => holdsOne(row) && !("text" in row));

type Row = z.output<typeof plainSchema>;
type IdentifiedRow = z.output<typeof rowSchema>;

/**
 * MathVista's own files: problems by their pid, or a list or lines of them, each with its response, what was extracted
 * from it, and whether the original found that true. undefined for other files.
 */
export async function readMathVistaPredictions(path: string): Promise<Rows<Answer> | undefined> {
  if (await firstLineFits(path, rowSchema)) return lines(path);
  if (!path.endsWith(".json")) return undefined;
  const content = await readJsonDocument(path);
  const list = z.array(rowSchema).min(1).safeParse(content);
  if (list.success) return list.data.map((row) => answerOf(idOf(row), row));
  const problems = problemsSchema.safeParse(content);
  return problems.success ? Object.entries(problems.data).map(([id, row]) => answerOf(id, row)) : undefined;
}

const idOf = (row: IdentifiedRow): string => String("pid" in row ? row.pid : row.question_id);

async function* lines(path: string): AsyncGenerator<Answer> {
  for await (const row of readCheckedLines(path, rowSchema)) {
    yield answerOf(idOf(row), row);
  }
}

function answerOf(problem: string, { response, extraction, prediction, true_false: stored }: Row): Answer {
  const verdict: Verdict = {
    ...(extraction != null && { extraction: pythonText(extraction) }),
    ...(stored != null && { trueFalse: Number(stored) }),
    ...(prediction != null && { prediction }),
  };
  const isJudged = extraction != null || stored != null;
  return { id: problem, text: response ?? "", ...(isJudged && { verdict }) };
}
