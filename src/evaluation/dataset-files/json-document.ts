import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { readDataFile } from "../../files/index.ts";
import { check } from "./check.ts";

/** The value in a JSON file, gzip-compressed or not. @throws LlavaError "data" naming the file and the line that is wrong */
export async function readJsonDocument(path: string): Promise<unknown> {
  const text = /\.(gz|gzip)$/.test(path) ? await readCompressed(path) : await readDataFile(path);
  try {
    return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new LlavaError("data", `${path}:${lineOf(message, text)}: not valid JSON: ${message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

/** The same in the shape that its reader needs. @throws LlavaError "data" also for another shape */
export const readDocument = async <Schema extends z.ZodType>(
  path: string,
  schema: Schema,
): Promise<z.output<Schema>> => check(schema, await readJsonDocument(path), path);

/** Reads rows of a .json file whose document has the shape; of any other file nothing, undefined. */
export const documentReader =
  <Schema extends z.ZodType, Rows>(schema: Schema, rowsOf: (document: z.output<Schema>) => Rows) =>
  async (path: string): Promise<Rows | undefined> => {
    if (!path.endsWith(".json")) return undefined;
    const { success, data } = schema.safeParse(await readJsonDocument(path));
    return success ? rowsOf(data) : undefined;
  };

async function readCompressed(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(gunzipSync(await readFile(path)));
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

/** V8 names the line of a syntax error, except where the text ends too early. */
function lineOf(message: string, text: string): number {
  const named = /\(line (\d+) column \d+\)/.exec(message)?.[1];
  return named === undefined ? text.split("\n").length : Number(named);
}
