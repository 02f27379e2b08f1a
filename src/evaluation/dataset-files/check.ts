import type { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues } from "../../files/index.ts";

/** A value of a file, in the shape its reader needs. @throws LlavaError "data" saying what does not fit at `where` */
export function check<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw new LlavaError("data", `${where}: ${describeIssues(result.error)}`, {
    hint: "Check that this is the dataset's original file.",
  });
}
