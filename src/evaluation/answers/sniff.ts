import { open } from "node:fs/promises";
import { LlavaError } from "../../errors.ts";
import { describeBytes, unreadable } from "../../files/index.ts";
import { idNames, isId } from "./answer-field.ts";

/** What a file of predictions is by its beginning, whatever its name. */
export type Form =
  | "empty"
  | "lines"
  | "list"
  | "document"
  | "table"
  | "workbook"
  | "parquet"
  | "folder"
  | "other";

/** @throws LlavaError "data" for a file that cannot be read */
export async function sniff(path: string): Promise<Form> {
  const bytes = await beginning(path, 1 << 20);
  if (bytes === undefined) return "folder";
  const kind = describeBytes(bytes);
  if (kind === "a zip archive") return "workbook";
  if (kind === "a parquet file") return "parquet";
  requireText(bytes, kind, path);
  const start = bytes
    .toString("utf8")
    .replace(/^\ufeff/, "")
    .trimStart();
  if (start === "") return "empty";
  if (start.startsWith("[")) return "list";
  const [first = "", ...rest] = start.split("\n", 2);
  if (!start.startsWith("{")) return /[\t,]/.test(first) ? "table" : "other";
  // A document that is laid out over several lines starts with a bracket alone.
  if (first.trim() === "{") return "document";
  try {
    const value = JSON.parse(first.replace(/,\s*$/, "")) as Readonly<Record<string, unknown>>;
    const isRow = [...idNames, "doc_id"].some((name) => isId(value[name]));
    return rest.join("").trim() === "" && !isRow ? "document" : "lines";
  } catch {
    // A row that was cut is followed by another, a document's first line by more of it.
    return /^\s*"/.test(rest.join("")) ? "document" : "lines";
  }
}

/** undefined for a folder, as some benchmarks have one of predictions. */
async function beginning(path: string, length: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path);
    if ((await file.stat()).isDirectory()) return undefined;
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** @throws LlavaError "data" for what people take for text that others can read */
function requireText(bytes: Buffer, kind: string, path: string): void {
  const [first, second] = bytes;
  const refuse = (what: string, hint: string): never => {
    throw new LlavaError("data", `${path}:1: ${what}`, { hint });
  };
  if (kind === "a gzip archive") refuse("compressed with gzip", "Decompress the file with gunzip.");
  const isWide = (first === 0) !== (second === 0) && bytes.length > 1;
  if (kind === "text in UTF-16" || isWide) refuse("UTF-16, not UTF-8", "Convert the file to UTF-8.");
}
