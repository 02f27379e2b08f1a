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
    const bytes = buffer.subarray(0, bytesRead);
    requireText(bytes, path);
    return bytes.toString("utf8");
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check the path, and that it is a file that may be read.",
      cause,
    });
  }
}

/** @throws LlavaError "data" for what people take for text that others can read */
function requireText(bytes: Buffer, path: string): void {
  const [first, second] = bytes;
  const refuse = (what: string, hint: string): never => {
    throw new LlavaError("data", `${path}:1: ${what}`, { hint });
  };
  if (first === 0x1f && second === 0x8b) refuse("compressed with gzip", "Decompress the file with gunzip.");
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  const isWide = (first === 0) !== (second === 0) && bytes.length > 1;
  if (isMarked || isWide) refuse("UTF-16, not UTF-8", "Convert the file to UTF-8.");
}
