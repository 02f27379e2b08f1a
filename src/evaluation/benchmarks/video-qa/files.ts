import { z } from "zod";
import type { JudgedAnswer } from "../../benchmark.ts";
import { readJsonDocument } from "../../dataset-files/index.ts";

const id = z.union([z.string(), z.number()]).transform(String);

const score = z.coerce.number();
/** Video-ChatGPT's combined file: by question, what the judge said and what it was asked. */
const combinedSchema = z.record(
  z.string(),
  z.tuple([z.object({ pred: z.string().optional(), score })]).rest(z.unknown()),
);
/** lmms-eval's list. */
const listSchema = z.array(z.object({ question_id: id, Correctness: z.string().optional(), score })).min(1);

/** What a judge said, by question: {pred, score}. Undefined for a file of another form. */
export async function readJudgements(path: string): Promise<readonly JudgedAnswer[] | undefined> {
  if (!path.endsWith(".json")) return undefined;
  const document = await readJsonDocument(path);
  const list = listSchema.safeParse(document);
  const rows = list.success
    ? list.data.map((row) => [row.question_id, row.Correctness, row.score] as const)
    : Object.entries(combinedSchema.safeParse(document).data ?? {}).map(
        ([key, [said]]) => [key, said.pred, said.score] as const,
      );
  if (rows.length === 0) return undefined;
  return rows.map(([id, pred, score]) => ({ id, verdict: { ...(pred !== undefined && { pred }), score } }));
}
