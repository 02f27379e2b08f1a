import { createReadStream } from "node:fs";
import { LlavaError } from "../../errors.ts";

export interface JsonLine {
  readonly value: unknown;
  /** Counted from 1. */
  readonly line: number;
}

/** The values of a file with one JSON value a line; empty lines are skipped. @throws LlavaError "data" naming file and line */
export async function* readJsonLines(path: string): AsyncGenerator<JsonLine> {
  for await (const { text, line } of readLines(path)) {
    if (text.trim() === "") continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new LlavaError("data", `${path}:${line}: not valid JSON: ${(cause as Error).message}`, {
        hint: "The line is damaged, or the file was cut while it was written.",
        cause,
      });
    }
    yield { value, line };
  }
}

/** The lines of a UTF-8 file, without their ends, holding a piece of the file at a time. */
export async function* readLines(path: string): AsyncGenerator<{ text: string; line: number }> {
  let rest: Uint8Array = new Uint8Array();
  let line = 0;
  for await (const bytes of readPieces(path)) {
    const piece: Buffer = rest.length > 0 ? Buffer.concat([rest, bytes]) : bytes;
    let start = 0;
    for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, start)) {
      yield { text: decode(piece.subarray(start, end), path, ++line), line };
      start = end + 1;
    }
    rest = piece.subarray(start);
  }
  if (rest.length > 0) yield { text: decode(rest, path, ++line), line };
}

async function* readPieces(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 });
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check the path, and that the file may be read.",
      cause,
    });
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array, path: string, line: number): string {
  try {
    const text = decoder.decode(bytes);
    return text.endsWith("\r") ? text.slice(0, -1) : text;
  } catch (cause) {
    throw new LlavaError("data", `${path}:${line}: not UTF-8`, {
      hint: "Convert the file to UTF-8.",
      cause,
    });
  }
}
