import type { z } from "zod";
import { LlavaError } from "../errors.ts";
import { readPieces } from "./read-pieces.ts";

export interface JsonLine {
  readonly value: unknown;
  /** Counted from 1. */
  readonly line: number;
}

/** The values of a file with one JSON value a line, or with a comma after it; empty lines are skipped. @throws LlavaError "data" naming file and line */
export async function* readJsonLines(path: string): AsyncGenerator<JsonLine> {
  for await (const batch of readJsonLineBatches(path)) yield* batch;
}

/** The same, in batches as they come from the disk: a million rows are not a million awaited promises. */
export async function* readJsonLineBatches(path: string): AsyncGenerator<Iterable<JsonLine>> {
  let line = 0;
  for await (const bytes of readWholeLines(path)) {
    const texts = decodeLines(bytes, path, line);
    yield parseTogether(texts, line) ?? parseEach(texts, path, line);
    line += texts.length;
  }
}

/** One call for all of them; undefined if any is empty or wrong, which their number shows where it does not throw. */
function parseTogether(texts: readonly string[], before: number): JsonLine[] | undefined {
  try {
    const values = JSON.parse(`[${texts.join(",")}]`) as unknown[];
    if (values.length !== texts.length) return undefined;
    return values.map((value, index) => ({ value, line: before + index + 1 }));
  } catch {
    return undefined;
  }
}

function* parseEach(texts: readonly string[], path: string, before: number): Generator<JsonLine> {
  let line = before;
  for (const text of texts) {
    line++;
    if (text.trim() !== "") yield { value: parseLine(text, `${path}:${line}`), line };
  }
}

function parseLine(text: string, where: string): unknown {
  try {
    return JSON.parse(text.replace(/,\s*$/, ""));
  } catch (cause) {
    throw new LlavaError("data", `${where}: not valid JSON: ${(cause as Error).message}`, {
      hint: "The line is damaged, or the file was cut while it was written.",
      cause,
    });
  }
}

/** Whether the file's first line is JSON of that shape: what tells a benchmark's own format from others. */
export async function firstLineFits(path: string, schema: z.ZodType): Promise<boolean> {
  for await (const { text } of readLines(path)) {
    if (text.trim() === "") continue;
    try {
      return schema.safeParse(JSON.parse(text.replace(/,\s*$/, ""))).success;
    } catch {
      return false;
    }
  }
  return false;
}

/** The lines of a UTF-8 file, without their ends, holding a piece of the file at a time. */
export async function* readLines(path: string): AsyncGenerator<{ text: string; line: number }> {
  let line = 0;
  for await (const bytes of readWholeLines(path))
    for (const text of decodeLines(bytes, path, line)) yield { text, line: ++line };
}

/** Pieces of the file that end with a line, without the newline there. */
async function* readWholeLines(path: string): AsyncGenerator<Uint8Array> {
  let rest: Uint8Array = new Uint8Array();
  for await (const bytes of readPieces(path)) {
    const piece: Buffer = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    const end = piece.lastIndexOf(0x0a);
    if (end >= 0) yield piece.subarray(0, end);
    rest = piece.subarray(end + 1);
  }
  if (rest.length > 0) yield rest;
}

function decodeLines(bytes: Uint8Array, path: string, before: number): string[] {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return decodeEach(bytes, path, before);
  }
  const lines = text.split("\n");
  return text.includes("\r") ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines;
}

/** Goes line by line to the one that is not UTF-8. */
function decodeEach(bytes: Uint8Array, path: string, before: number): string[] {
  const texts: string[] = [];
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    texts.push(decode(bytes.subarray(start, end), path, before + texts.length + 1));
    start = end + 1;
  }
  return texts;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array, path: string, line: number): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new LlavaError("data", `${path}:${line}: not UTF-8`, {
      hint: "Convert the file to UTF-8.",
      cause,
    });
  }
}
