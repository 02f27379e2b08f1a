import type { z } from "zod";
import { LlavaError } from "../errors.ts";
import { describeIssues, parseJson } from "../files/index.ts";

/** A row in the shape that its reader needs. @throws LlavaError "data" saying what does not fit at `where` */
export function checked<T>(schema: z.ZodType<T>, value: unknown, where: string, hint: string): T {
  const { data, error } = schema.safeParse(value);
  if (error === undefined) return data;
  throw new LlavaError("data", `${where}: ${describeIssues(error)}`, { hint });
}

/** @throws LlavaError "data" for what is no JSON */
export function parsed(text: string, where: string, hint: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    throw new LlavaError("data", `${where}: not valid JSON: ${(cause as Error).message}`, { hint, cause });
  }
}
