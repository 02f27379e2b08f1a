import { createReadStream } from "node:fs";
import { LlavaError } from "../errors.ts";

/** The text of one object in a file. */
export interface JsonSpan {
  readonly bytes: Buffer;
  /** In bytes from the file's begin. */
  readonly start: number;
  /** "row 17" of a list, "17" for a line; counted from 1. */
  readonly place: string;
}

const code = (character: string): number => character.charCodeAt(0);
const [quote, backslash, newline, openList] = [code('"'), code("\\"), code("\n"), code("[")];
const [openObject, closeObject] = [code("{"), code("}")];
const hint = "The file is damaged or not complete; fetch it again.";

/**
 * Where the objects of a JSON array, or of a file with one a line, begin and end: the file may be larger than memory. They
 * come in batches as the disk gives them. What lies between the braces is the caller's to parse; a line is taken as it is.
 * @throws LlavaError "data" for a file that cannot be read, or an array that ends within an object
 */
export async function* jsonObjects(path: string, pieceSize = 1 << 21): AsyncGenerator<readonly JsonSpan[]> {
  let scanner: Scanner | undefined;
  let start = 0;
  try {
    for await (const piece of createReadStream(path, { highWaterMark: pieceSize })) {
      const bytes = piece as Buffer;
      scanner ??= beginsWithList(bytes) ? new ObjectScanner() : new LineScanner();
      const spans = scanner.take(bytes, start);
      start += bytes.length;
      if (spans.length > 0) yield spans;
    }
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check the path, and that the file may be read.",
      cause,
    });
  }
  const last = scanner?.finish() ?? [];
  if (last === "open") throw new LlavaError("data", `${path}: ends within its list of rows`, { hint });
  if (last.length > 0) yield last;
}

interface Scanner {
  take(piece: Buffer, start: number): readonly JsonSpan[];
  /** What is left at the end of the file; "open" if something is missing there. */
  finish(): readonly JsonSpan[] | "open";
}

const beginsWithList = (bytes: Buffer): boolean => {
  const first = bytes.findIndex((byte) => byte > 0x20 && byte !== 0xef && byte !== 0xbb && byte !== 0xbf);
  return bytes[first] === openList;
};

/** Objects of the outermost list; all that matters of their inside is where strings and braces end. */
class ObjectScanner implements Scanner {
  #held: Buffer[] = [];
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #isClosed = false;
  #count = 0;
  #start = 0;

  take(piece: Buffer, pieceStart: number): JsonSpan[] {
    const spans: JsonSpan[] = [];
    let from = this.#depth > 0 ? 0 : -1;
    let [depth, isInString, isEscaped] = [this.#depth, this.#isInString, this.#isEscaped];
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) isInString = false;
      } else if (byte === quote) isInString = true;
      else if (byte === openObject) {
        if (depth++ > 0) continue;
        from = at;
        this.#start = pieceStart + at;
      } else if (byte === closeObject && depth > 0) {
        if (--depth > 0) continue;
        const bytes = Buffer.concat([...this.#held, piece.subarray(from, at + 1)]);
        spans.push({ bytes, start: this.#start, place: `row ${++this.#count}` });
        this.#held = [];
        from = -1;
      } else if (byte === code("]") && depth === 0) this.#isClosed = true;
    }
    if (from >= 0) this.#held.push(piece.subarray(from));
    [this.#depth, this.#isInString, this.#isEscaped] = [depth, isInString, isEscaped];
    return spans;
  }

  finish(): readonly JsonSpan[] | "open" {
    return this.#isClosed ? [] : "open";
  }
}

/** Lines that are not blank. */
class LineScanner implements Scanner {
  #held: Buffer[] = [];
  #line = 1;
  #start = 0;

  take(piece: Buffer, pieceStart: number): JsonSpan[] {
    const spans: JsonSpan[] = [];
    let from = 0;
    for (let end = piece.indexOf(newline); end >= 0; end = piece.indexOf(newline, from)) {
      spans.push(...this.#ended(piece.subarray(from, end)));
      from = end + 1;
      this.#start = pieceStart + from;
      this.#line++;
    }
    this.#held.push(piece.subarray(from));
    return spans;
  }

  finish(): readonly JsonSpan[] {
    return this.#ended(Buffer.alloc(0));
  }

  #ended(rest: Buffer): JsonSpan[] {
    const bytes = this.#held.length > 0 ? Buffer.concat([...this.#held, rest]) : rest;
    this.#held = [];
    const isBlank = bytes.every((byte) => byte <= 0x20);
    return isBlank ? [] : [{ bytes, start: this.#start, place: String(this.#line) }];
  }
}
