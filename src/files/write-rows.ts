import { writeAtomicallyAsync } from "./atomic.ts";

/**
 * Writes values one by one: a JSON array with one value a line, or JSON lines for a path that ends in .jsonl. The file
 * appears under its name when it is complete. Returns how many there were. @throws LlavaError "data" naming the file
 */
export async function writeRows(
  path: string,
  rows: Iterable<unknown> | AsyncIterable<unknown>,
): Promise<number> {
  let count = 0;
  const isLines = path.endsWith(".jsonl");
  async function* text(): AsyncGenerator<string> {
    if (!isLines) yield "[\n";
    for await (const row of rows)
      yield `${count++ > 0 && !isLines ? ",\n" : ""}${JSON.stringify(row)}${isLines ? "\n" : ""}`;
    if (!isLines) yield "\n]\n";
  }
  await writeAtomicallyAsync(path, text(), { code: "data" });
  return count;
}
