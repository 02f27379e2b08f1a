import { z } from "zod";
import type { Answer, JudgedAnswer } from "../../benchmark.ts";
import {
  check,
  firstLineFits,
  readFittingList,
  readJsonDocument,
  readJsonLines,
  readTable,
} from "../../files/index.ts";

const id = z.union([z.string(), z.number()]).transform(String);

/** A row of predictions made with the code of Video-ChatGPT and those after it, where `answer` and `A` are the truth. */
const predictionSchema = z.union([
  z.object({ question_id: id, pred: z.string() }),
  z.object({ id, pred: z.string() }).transform((row) => ({ question_id: row.id, pred: row.pred })),
]);

/** A list or lines of {question_id or id, pred}, or a table with such columns; undefined for anything else. */
export async function readOpenPredictions(path: string): Promise<AsyncIterable<Answer> | undefined> {
  if (path.endsWith(".csv")) return tableAnswers(path);
  if (!path.endsWith(".json"))
    return (await firstLineFits(path, predictionSchema)) ? lineAnswers(path) : undefined;
  if (await firstLineFits(path, predictionSchema)) return lineAnswers(path);
  const list = await readFittingList(path, predictionSchema);
  return list && each(list);
}

async function* each(rows: readonly z.infer<typeof predictionSchema>[]): AsyncGenerator<Answer> {
  for (const { question_id, pred } of rows) yield { id: question_id, text: pred };
}

async function* lineAnswers(path: string): AsyncGenerator<Answer> {
  for await (const { value, line } of readJsonLines(path)) {
    const { question_id, pred } = check(predictionSchema, value, `${path}:${line}`);
    yield { id: question_id, text: pred };
  }
}

async function* tableAnswers(path: string): AsyncGenerator<Answer> {
  for await (const { values, line } of readTable(path)) {
    const { question_id, pred } = check(predictionSchema, values, `${path}:${line}`);
    yield { id: question_id, text: pred };
  }
}

const score = z.coerce.number();
/** Video-ChatGPT's combined file: by question, what the judge said and what it was asked. */
const combinedSchema = z.record(
  z.string(),
  z.tuple([z.object({ pred: z.string().optional(), score })]).rest(z.unknown()),
);
/** lmms-eval's list. */
const listSchema = z.array(z.object({ question_id: id, Correctness: z.string().optional(), score })).min(1);

/** What a judge said, by question: {pred, score}. Undefined for a file of another form. */
export async function readJudgements(path: string): Promise<AsyncIterable<JudgedAnswer> | undefined> {
  if (!path.endsWith(".json")) return undefined;
  const document = await readJsonDocument(path);
  const list = listSchema.safeParse(document);
  const rows = list.success
    ? list.data.map((row) => [row.question_id, row.Correctness, row.score] as const)
    : Object.entries(combinedSchema.safeParse(document).data ?? {}).map(
        ([key, [said]]) => [key, said.pred, said.score] as const,
      );
  return rows.length === 0 ? undefined : judgements(rows);
}

async function* judgements(
  rows: readonly (readonly [string, string | undefined, number])[],
): AsyncGenerator<JudgedAnswer> {
  for (const [key, pred, given] of rows)
    yield { id: key, verdict: { ...(pred !== undefined && { pred }), score: given } };
}
