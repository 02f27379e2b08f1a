import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { streamJsonBatches } from "../../files/index.ts";
import { readJsonDocument } from "./json-document.ts";

/*
 * What files of questions and of annotations have in common. A schema says what is wrong with a row; guards beside it pass
 * the rows that are right, of which there are millions, at no cost.
 */

export const rowId = z.union([z.string(), z.number()]).transform(String);

export const isId = (value: unknown): value is string | number =>
  typeof value === "string" || Number.isFinite(value);

export const isCompressed = (path: string): boolean => /\.(gz|gzip)$/.test(path);

/** The list under `key` in batches as they come from the disk; all at once from a compressed file. */
export async function* streamRows(path: string, key: string): AsyncGenerator<readonly unknown[]> {
  if (!isCompressed(path)) return yield* streamJsonBatches(path, key);
  const document = await readJsonDocument(path);
  const rows = (document as Record<string, unknown> | null)?.[key];
  if (!Array.isArray(rows))
    throw new LlavaError("data", `${path}: holds no list "${key}"`, { hint: "Fetch the original file." });
  yield rows;
}
