import { z } from "zod";
import { firstLineFits, readJsonLines } from "../../../files/index.ts";
import type { Answer } from "../../benchmark.ts";
import { check, readFittingList } from "../../dataset-files/index.ts";

const schema = z.looseObject({
  id: z.union([z.int(), z.string().regex(/^\d+$/)]).transform(Number),
  response: z.string().nullable(),
});
type Response = z.output<typeof schema>;

/** Images to describe have the first ids, questions of yes and no the others. */
const lastDescription = 1004;

/** The answers of one task in a file of both, which the original evaluation takes as well; all of any other file. */
const readTask =
  (isOurs: (id: number) => boolean) =>
  async (path: string): Promise<AsyncIterable<Answer> | undefined> => {
    const rows = await readResponses(path);
    if (rows === undefined) return undefined;
    const ours = rows.filter(({ id }) => isOurs(id));
    return answersOf(ours.length > 0 ? ours : rows);
  };

/** A list, or lines, of id and response; undefined for any other file. */
async function readResponses(path: string): Promise<Response[] | undefined> {
  if (path.endsWith(".json")) return await readFittingList(path, schema);
  if (!(await firstLineFits(path, schema))) return undefined;
  const rows: Response[] = [];
  for await (const { value, line } of readJsonLines(path)) rows.push(check(schema, value, `${path}:${line}`));
  return rows;
}

async function* answersOf(rows: readonly Response[]): AsyncGenerator<Answer> {
  for (const { id, response } of rows) yield { id: String(id), text: response ?? "" };
}

export const readDescriptions = readTask((id) => id <= lastDescription);
export const readJudgements = readTask((id) => id > lastDescription);
