import { open } from "node:fs/promises";
import { LlavaError } from "../../errors.ts";

/** How a file of JSON is laid out, by its beginning. */
export type Form = "empty" | "lines" | "list" | "document" | "other";

/** @throws LlavaError "data" for a file that cannot be read */
export async function sniff(path: string): Promise<Form> {
  const start = (await beginning(path, 1 << 20)).replace(/^\ufeff/, "").trimStart();
  if (start === "") return "empty";
  if (start.startsWith("[")) return "list";
  if (!start.startsWith("{")) return "other";
  const [first = "", ...rest] = start.split("\n", 2);
  // A document that is laid out over several lines starts with a bracket alone.
  if (first.trim() === "{") return "document";
  try {
    const value = JSON.parse(first) as object;
    return rest.join("").trim() === "" && !("id" in value || "question_id" in value) ? "document" : "lines";
  } catch {
    return "lines";
  }
}

async function beginning(path: string, length: number): Promise<string> {
  try {
    await using file = await open(path);
    // Some benchmarks have a folder of predictions.
    if ((await file.stat()).isDirectory()) return "-";
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.toString("utf8", 0, bytesRead);
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check the path, and that it is a file that may be read.",
      cause,
    });
  }
}
