import { z } from "zod";
import { firstLineFits } from "../../../files/index.ts";
import type { Answer } from "../../benchmark.ts";
import { documentReader, readCheckedLines } from "../../dataset-files/index.ts";

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
  async (path: string): Promise<Answer[] | undefined> => {
    const rows = await readResponses(path);
    const ours = rows?.filter(({ id }) => isOurs(id)) ?? [];
    return (ours.length > 0 ? ours : rows)?.map(({ id, response }) => ({
      id: String(id),
      text: response ?? "",
    }));
  };

/** A list, or lines, of id and response; undefined for any other file. */
async function readResponses(path: string): Promise<Response[] | undefined> {
  if (path.endsWith(".json")) return await readList(path);
  if (!(await firstLineFits(path, schema))) return undefined;
  const rows: Response[] = [];
  for await (const row of readCheckedLines(path, schema)) rows.push(row);
  return rows;
}

const readList = documentReader(z.array(schema).min(1), (rows): Response[] => rows);

export const readDescriptions = readTask((id) => id <= lastDescription);
export const readJudgements = readTask((id) => id > lastDescription);
