import { z } from "zod";
import { readJsonDocument } from "./json-document.ts";

/** The elements of a JSON list, one at least, all of which fit; undefined for any other document. */
export async function readFittingList<Schema extends z.ZodType>(
  path: string,
  element: Schema,
): Promise<z.output<Schema>[] | undefined> {
  const { data } = z
    .array(element)
    .min(1)
    .safeParse(await readJsonDocument(path));
  return data;
}
