import { createReadStream } from "node:fs";
import { LlavaError } from "../errors.ts";

const isSpace = (byte: number | undefined): boolean =>
  byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;

const pieceSize = 1 << 19;
const code = (character: string): number => character.charCodeAt(0);
const [quote, backslash, comma, colon] = [code('"'), code("\\"), code(","), code(":")];
const [openList, closeList, openObject, closeObject] = [code("["), code("]"), code("{"), code("}")];

/**
 * The elements of a JSON array, with a few MiB of the file in memory at a time: of the array that is the document, or of
 * the one under `key` of the object that is. For files that are too large for one string.
 * @throws LlavaError "data" naming file and line for what is not JSON or UTF-8, is cut short, or holds no such array
 */
export async function* streamJsonArray(path: string, key?: string): AsyncGenerator<unknown> {
  for await (const batch of streamJsonBatches(path, key)) yield* batch;
}

/** The same, in batches as they come from the disk: a million elements are not a million awaited promises. */
export async function* streamJsonBatches(path: string, key?: string): AsyncGenerator<readonly unknown[]> {
  const reader = new ArrayReader(key);
  try {
    for await (const piece of createReadStream(path, { highWaterMark: pieceSize })) {
      const batch = reader.take(piece as Buffer);
      if (batch.length > 0) yield batch;
      if (reader.isDone) return;
    }
    const rest = reader.finish();
    if (rest.length > 0) yield rest;
    if (reader.isDone) return;
    const wanted = reader.isInside ? "ends inside its list" : `holds no list${key ? ` "${key}"` : ""}`;
    throw new Misplaced(wanted, Number.POSITIVE_INFINITY);
  } catch (error) {
    if (error instanceof LlavaError) throw error;
    const where = error instanceof Misplaced ? `${path}:${await lineAt(path, error.offset)}` : path;
    const problem = error instanceof Misplaced ? "" : "cannot be read: ";
    throw new LlavaError("data", `${where}: ${problem}${(error as Error).message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause: error,
    });
  }
}

class Misplaced extends Error {
  readonly offset: number;
  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class ArrayReader {
  isInside = false;
  isDone = false;
  readonly #key: string | undefined;
  /** What is not parsed yet, from the file's byte `#offset` on; scanned up to its byte `#place`. */
  #bytes: Buffer = Buffer.alloc(0);
  #offset = 0;
  #place = 0;
  /** State of the scan: brackets that are open within the document or, inside the list, within an element. */
  #depth = 0;
  #isInString = false;
  #stringStart = 0;
  #name: string | undefined;
  /** How the first element begins: its bracket and first key; "" if it is no object. */
  #start: string | undefined;

  constructor(key: string | undefined) {
    this.#key = key;
  }

  /** Elements that are complete with this piece. */
  take(piece: Buffer): readonly unknown[] {
    this.#bytes = this.#bytes.length > 0 ? Buffer.concat([this.#bytes, piece]) : piece;
    if (!this.isInside && !this.#findList()) return [];
    return this.#guess() ?? this.finish();
  }

  /** Elements that a scan of all that is left finds complete. */
  finish(): readonly unknown[] {
    if (!this.isInside) return [];
    const end = this.#lastBoundary();
    if (end === 0) return [];
    const elements = this.#parse(this.#bytes.subarray(0, this.isDone ? end : end - 1));
    this.#drop(end);
    return elements;
  }

  /**
   * Cuts before the last text that begins like the first element, which takes no scan. A cut within an element or a string
   * leaves text that does not parse; then, and where nothing begins so, undefined.
   */
  #guess(): readonly unknown[] | undefined {
    this.#start ??= /^\s*(\{\s*"[^"\\]*"\s*:)/.exec(this.#bytes.toString("latin1", 0, 4096))?.[1] ?? "";
    const place = this.#start === "" ? -1 : this.#bytes.lastIndexOf(this.#start, undefined, "latin1");
    let end = place;
    while (isSpace(this.#bytes[end - 1])) end--;
    if (this.#bytes[end - 1] !== comma) return undefined;
    try {
      const elements = JSON.parse(`[${decoder.decode(this.#bytes.subarray(0, end - 1))}]`) as unknown[];
      this.#drop(place);
      [this.#place, this.#depth, this.#isInString] = [0, 0, false];
      return elements;
    } catch {
      return undefined;
    }
  }

  #drop(length: number): void {
    this.#bytes = this.#bytes.subarray(length);
    this.#offset += length;
    this.#place -= length;
  }

  /** Goes to the list's first byte. */
  #findList(): boolean {
    const bytes = this.#bytes;
    for (; this.#place < bytes.length; this.#place++) {
      const byte = bytes[this.#place]!;
      if (this.#isInString) {
        if (byte === backslash) this.#place++;
        else if (byte === quote) this.#isInString = false;
      } else if (byte === quote) {
        this.#isInString = true;
        this.#stringStart = this.#place;
      } else if (byte === colon && this.#depth === 1)
        this.#name = bytes.toString("utf8", this.#stringStart + 1, bytes.lastIndexOf(quote, this.#place));
      else if (byte === openList && this.#isWanted()) {
        this.#drop(this.#place + 1);
        this.#place = 0;
        this.#depth = 0;
        this.isInside = true;
        return true;
      } else if (byte === openList || byte === openObject) this.#depth++;
      else if (byte === closeList || byte === closeObject) this.#depth--;
    }
    return false;
  }

  #isWanted(): boolean {
    return this.#key === undefined ? this.#depth === 0 : this.#depth === 1 && this.#name === this.#key;
  }

  /** Scans what is new; the byte after the last comma between elements, or after the last element if the list ends. */
  #lastBoundary(): number {
    const bytes = this.#bytes;
    const length = bytes.length;
    let [place, depth, isInString, boundary] = [this.#place, this.#depth, this.#isInString, 0];
    for (; place < length; place++) {
      const byte = bytes[place]!;
      if (isInString) {
        if (byte === backslash) place++;
        else if (byte === quote) isInString = false;
      } else if (byte === quote) isInString = true;
      else if (byte === openObject || byte === openList) depth++;
      else if (byte === comma) {
        if (depth === 0) boundary = place + 1;
      } else if (byte === closeObject || byte === closeList) {
        if (depth-- > 0) continue;
        this.isDone = true;
        return place;
      }
    }
    this.#place = place;
    this.#depth = depth;
    this.#isInString = isInString;
    return boundary;
  }

  #parse(bytes: Buffer): unknown[] {
    try {
      return JSON.parse(`[${decoder.decode(bytes)}]`) as unknown[];
    } catch {
      return this.#refuse(bytes);
    }
  }

  /** Names the element that does not parse. */
  #refuse(bytes: Buffer): never {
    let start = 0;
    let depth = 0;
    let isInString = false;
    for (let place = 0; place <= bytes.length; place++) {
      const byte = bytes[place] ?? comma;
      if (isInString && place < bytes.length) {
        if (byte === backslash) place++;
        else if (byte === quote) isInString = false;
      } else if (byte === quote) isInString = true;
      else if (byte === openObject || byte === openList) depth++;
      else if (byte === closeObject || byte === closeList) depth--;
      else if (byte === comma && (depth === 0 || place === bytes.length)) {
        const element = bytes.subarray(start, place);
        const leading = element.length - element.toString("latin1").trimStart().length;
        try {
          JSON.parse(decoder.decode(element));
        } catch (cause) {
          const isText = cause instanceof TypeError; // TextDecoder's
          const problem = isText ? "not UTF-8" : `not valid JSON: ${(cause as Error).message}`;
          throw new Misplaced(problem, this.#offset + start + leading);
        }
        start = place + 1;
      }
    }
    throw new Misplaced("not valid JSON", this.#offset);
  }
}

/** Counted from 1; that of the file's end for an offset beyond it. */
async function lineAt(path: string, offset: number): Promise<number> {
  let line = 1;
  let start = 0;
  for await (const piece of createReadStream(path, { highWaterMark: pieceSize })) {
    const bytes = piece as Buffer;
    for (let at = bytes.indexOf(0x0a); at >= 0 && start + at < offset; at = bytes.indexOf(0x0a, at + 1))
      line++;
    start += bytes.length;
    if (start > offset) break;
  }
  return line;
}
