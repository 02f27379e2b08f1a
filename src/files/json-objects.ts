import { LlavaError } from "../errors.ts";
import { openTextPieces } from "./text-pieces.ts";

/** The text of one element in a file, which is an object unless something is wrong with the file. */
export interface JsonSpan {
  readonly bytes: Buffer;
  /** In bytes from the file's begin; undefined where the file is packed or not in UTF-8. */
  readonly start: number | undefined;
  /** "row 17" of a list, "17" for a line; counted from 1. */
  readonly place: string;
  /** What is wrong with text that stands where no element may. */
  readonly problem?: string;
}

const code = (character: string): number => character.charCodeAt(0);
const [quote, backslash, newline, comma] = [code('"'), code("\\"), code("\n"), code(",")];
const [openList, closeList, openObject, closeObject] = [code("["), code("]"), code("{"), code("}")];
const hint = "The file is damaged or not complete; fetch it again.";

/**
 * Where the elements of a JSON array, or of a file with one a line, begin and end: the file may be larger than memory. They
 * come in batches as the disk gives them. What they hold is the caller's to parse; of a line, a comma at its end is left
 * out. Text after the list is an element with a problem. Files may be packed by gzip or zstd, and be in UTF-16.
 * @throws LlavaError "data" for a file that cannot be read or is of another kind, or an array that ends within an object
 */
export async function* jsonObjects(path: string, pieceSize = 1 << 21): AsyncGenerator<readonly JsonSpan[]> {
  const { pieces, isVerbatim } = await openTextPieces(path, pieceSize);
  const placed = (spans: readonly JsonSpan[]): readonly JsonSpan[] =>
    isVerbatim ? spans : spans.map((span) => ({ ...span, start: undefined }));
  let scanner: Scanner | undefined;
  let start = 0;
  try {
    for await (const bytes of pieces) {
      scanner ??= scannerFor(bytes);
      const spans = scanner.take(bytes, start);
      start += bytes.length;
      if (spans.length > 0) yield placed(spans);
    }
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, { hint, cause });
  }
  const last = scanner?.finish() ?? [];
  if (last === "open") throw new LlavaError("data", `${path}: ends within its list of rows`, { hint });
  if (last.length > 0) yield placed(last);
}

interface Scanner {
  take(piece: Buffer, start: number): readonly JsonSpan[];
  /** What is left at the end of the file; "open" if something is missing there. */
  finish(): readonly JsonSpan[] | "open";
}

/** An array, objects over several lines one after another, or a line each. */
function scannerFor(bytes: Buffer): Scanner {
  const first = bytes.findIndex((byte) => byte > 0x20 && byte !== 0xef && byte !== 0xbb && byte !== 0xbf);
  if (bytes[first] === openList) return new ElementScanner("list");
  return /^\{\s*\n/.test(bytes.toString("latin1", first, first + 16))
    ? new ElementScanner("bare")
    : new LineScanner();
}

const isSpace = (byte: number): boolean => byte <= 0x20;

/**
 * Elements of the outermost list; all that matters of their inside is where strings and brackets end. Of an object only
 * braces are counted, so that a bracket too many spoils one element alone.
 */
class ElementScanner implements Scanner {
  #held: Buffer[] = [];
  #state: "before" | "between" | "nested" | "string" | "scalar" | "after";
  readonly #isBare: boolean;
  #opening = openObject;
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  #count = 0;
  #start = 0;
  #after: Buffer | undefined;

  constructor(kind: "list" | "bare") {
    this.#isBare = kind === "bare";
    this.#state = this.#isBare ? "between" : "before";
  }

  take(piece: Buffer, pieceStart: number): JsonSpan[] {
    const spans: JsonSpan[] = [];
    let from = 0;
    const begin = (at: number, state: "nested" | "string" | "scalar"): void => {
      from = at;
      this.#start = pieceStart + at;
      this.#state = state;
    };
    const end = (at: number): void => {
      spans.push(this.#element(piece.subarray(from, at)));
      this.#state = "between";
    };
    for (let at = 0; at < piece.length; at++) {
      const byte = piece[at]!;
      if (this.#state === "nested") {
        at = this.#passNested(piece, at);
        if (this.#depth === 0) end(at + 1);
        continue;
      }
      if (this.#state === "string") {
        if (this.#isEscaped) this.#isEscaped = false;
        else if (byte === backslash) this.#isEscaped = true;
        else if (byte === quote) end(at + 1);
        continue;
      }
      if (this.#state === "after") {
        if (this.#after === undefined && !isSpace(byte))
          this.#after = Buffer.from(piece.subarray(at, at + 40));
        continue;
      }
      if (this.#state === "scalar" && (isSpace(byte) || delimiters.has(byte))) end(at);
      if (this.#state === "before") {
        if (byte === openList) this.#state = "between";
      } else if (this.#state === "between" && !isSpace(byte) && byte !== comma) {
        if (byte === closeList && !this.#isBare) this.#state = "after";
        else if (byte === openObject || byte === openList) {
          begin(at, "nested");
          this.#opening = byte;
          this.#depth = 1;
        } else begin(at, byte === quote ? "string" : "scalar");
      }
    }
    if (["nested", "string", "scalar"].includes(this.#state)) this.#held.push(piece.subarray(from));
    return spans;
  }

  /** Where the element ends, or the piece: its last byte. */
  #passNested(piece: Buffer, begin: number): number {
    const opening = this.#opening;
    const closing = opening === openObject ? closeObject : closeList;
    let [depth, isInString, isEscaped] = [this.#depth, this.#isInString, this.#isEscaped];
    let at = begin;
    for (; at < piece.length; at++) {
      const byte = piece[at]!;
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) isInString = false;
      } else if (byte === quote) isInString = true;
      else if (byte === opening) depth++;
      else if (byte === closing && --depth === 0) break;
    }
    [this.#depth, this.#isInString, this.#isEscaped] = [depth, isInString, isEscaped];
    return Math.min(at, piece.length - 1);
  }

  #element(rest: Buffer): JsonSpan {
    const bytes = this.#held.length > 0 ? Buffer.concat([...this.#held, rest]) : rest;
    this.#held = [];
    return { bytes, start: this.#start, place: `row ${++this.#count}` };
  }

  finish(): readonly JsonSpan[] | "open" {
    if (this.#isBare && this.#state === "between") return [];
    if (this.#isBare && this.#state === "scalar") return [this.#element(Buffer.alloc(0))];
    if (this.#state !== "after") return "open";
    if (this.#after === undefined) return [];
    const problem = `text follows the list of rows: ${JSON.stringify(this.#after.toString("utf8"))}`;
    return [{ ...this.#element(this.#after), problem }];
  }
}

const delimiters = new Set([comma, closeList, openList, openObject, quote]);

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
    const line = this.#held.length > 0 ? Buffer.concat([...this.#held, rest]) : rest;
    this.#held = [];
    const last = line.findLastIndex((byte) => !isSpace(byte));
    const bytes = line[last] === comma ? line.subarray(0, last) : line;
    return last < 0 ? [] : [{ bytes, start: this.#start, place: String(this.#line) }];
  }
}
