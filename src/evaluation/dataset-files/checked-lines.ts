import type { z } from "zod";
import { readJsonLineBatches } from "../../files/index.ts";
import { check } from "./check.ts";

/** The values of a file with one JSON value a line, in the shape that their reader needs. @throws LlavaError "data" naming file and line */
export async function* readCheckedLines<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): AsyncGenerator<z.output<Schema>> {
  for await (const batch of readJsonLineBatches(path))
    for (const { value, line } of batch) yield check(schema, value, `${path}:${line}`);
}
