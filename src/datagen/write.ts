import { createWriteStream } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { LlavaError } from "../errors.ts";

/**
 * Writes values one by one: a JSON array with one value a line, or JSON lines for a path that ends in .jsonl. The file
 * appears under its name when it is complete. Returns how many there were. @throws LlavaError "data" naming the file
 */
export async function writeRows(
  path: string,
  rows: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  const partial = `${path}.partial`;
  let count = 0;
  const isLines = path.endsWith(".jsonl");
  async function* text(): AsyncGenerator<string> {
    if (!isLines) yield "[\n";
    for await (const row of rows)
      yield `${count++ > 0 && !isLines ? ",\n" : ""}${JSON.stringify(row)}${isLines ? "\n" : ""}`;
    if (!isLines) yield "\n]\n";
  }
  try {
    await pipeline(Readable.from(text()), createWriteStream(partial));
    await rename(partial, path);
  } catch (cause) {
    await rm(partial, { force: true });
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder exists, may be written, and has room.",
      cause,
    });
  }
  return count;
}
