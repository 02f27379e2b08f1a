import type { z } from "zod";
import { LlavaError } from "../errors.ts";
import { readPieces } from "./read-pieces.ts";
import { decodeLines } from "./utf8.ts";

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
  for await (const { bytes } of readWholeLines(path)) {
    const texts = textsOf(bytes, path, line);
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
  for await (const { bytes } of readWholeLines(path))
    for (const text of textsOf(bytes, path, line)) yield { text, line: ++line };
}

export interface WholeLines {
  /** Without the newline at their end. */
  readonly bytes: Buffer;
  /** Whether there was one, as after all lines but perhaps the file's last. */
  readonly isEnded: boolean;
}

/** Pieces of a file, each of whole lines. @throws LlavaError "data" where it cannot be read */
export async function* readWholeLines(path: string): AsyncGenerator<WholeLines> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const bytes of readPieces(path)) {
    const piece = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    const end = piece.lastIndexOf(0x0a);
    if (end >= 0) yield { bytes: piece.subarray(0, end), isEnded: true };
    rest = piece.subarray(end + 1);
  }
  if (rest.length > 0) yield { bytes: rest, isEnded: false };
}

function textsOf(bytes: Uint8Array, path: string, before: number): string[] {
  const text = decodeLines(bytes, path, before);
  const lines = text.split("\n");
  return text.includes("\r") ? lines.map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line)) : lines;
}
