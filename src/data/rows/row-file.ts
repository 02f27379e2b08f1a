import { closeSync, openSync, readSync } from "node:fs";
import { LlavaError } from "../../errors.ts";
import { type JsonSpan, jsonObjects, parseJson } from "../../files/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import { parseRow } from "./parse-row.ts";
import { rowHint } from "./row-fields.ts";

/** A row of a file, or why it is none. */
export type FoundRow = { readonly row: LlavaRow; readonly span: JsonSpan } | { readonly error: RowError };

/**
 * All rows of a JSON array or of JSON lines, in order, a bad one as an error.
 * @throws LlavaError "data" for a file that is none of rows, or has none
 */
export async function* foundRows(path: string): AsyncGenerator<readonly FoundRow[]> {
  let isEmpty = true;
  for await (const spans of jsonObjects(path)) {
    isEmpty = false;
    yield spans.map((span): FoundRow => {
      try {
        return { row: parseSpan(span, originOf(path, span.place)), span };
      } catch (error) {
        if (error instanceof RowError) return { error };
        throw error;
      }
    });
  }
  if (isEmpty) throw noRows(path);
}

export const noRows = (path: string): LlavaError =>
  new LlavaError("data", `${path}: holds no rows`, { hint: rowHint });

/** "mix.jsonl:17", "mix.json: row 17" */
const originOf = (path: string, place: string): string =>
  place.startsWith("row") ? `${path}: ${place}` : `${path}:${place}`;

/** Counts the rows of a file, whether they can be used or not, without parsing them. */
export async function* countFileRows(path: string): AsyncGenerator<number> {
  for await (const spans of jsonObjects(path)) yield spans.length;
}

function parseSpan({ bytes, problem }: Pick<JsonSpan, "bytes" | "problem">, origin: string): LlavaRow {
  if (problem !== undefined) throw new RowError("form", `${origin}: ${problem}`, { hint: fileHint });
  let value: unknown;
  try {
    value = parseJson(decoder.decode(bytes));
  } catch (cause) {
    const problem = cause instanceof TypeError ? "not UTF-8" : `not valid JSON: ${(cause as Error).message}`;
    throw new RowError("form", `${origin}: ${problem}`, {
      hint: fileHint,
      cause,
    });
  }
  return parseRow(value, origin);
}

const fileHint = "The file is a JSON array of rows, or has one row a line.";
const decoder = new TextDecoder("utf-8", { fatal: true });

/** Rows of a file that stay there, 20 bytes of memory for each; those of a packed file are held unpacked. */
export class RowFile implements Disposable {
  readonly path: string;
  readonly #file: number;
  #starts = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #numbers = new Uint32Array(1024);
  readonly #held: Buffer[] = [];
  #isList = false;
  length = 0;

  constructor(path: string) {
    this.path = path;
    this.#file = openSync(path, "r");
  }

  add({ start, bytes, place }: JsonSpan): void {
    if (this.length === this.#starts.length) {
      const size = this.length * 2;
      this.#starts = grown(new Float64Array(size), this.#starts);
      this.#lengths = grown(new Uint32Array(size), this.#lengths);
      this.#numbers = grown(new Uint32Array(size), this.#numbers);
    }
    if (start === undefined) this.#held[this.length] = Buffer.from(bytes);
    else this.#starts[this.length] = start;
    this.#lengths[this.length] = bytes.length;
    this.#isList = place.startsWith("row ");
    this.#numbers[this.length++] = Number(place.replace("row ", ""));
  }

  at(index: number): LlavaRow {
    const bytes = this.#held[index] ?? this.#read(index);
    const place = `${this.#isList ? "row " : ""}${this.#numbers[index]}`;
    return parseSpan({ bytes }, originOf(this.path, place));
  }

  #read(index: number): Buffer {
    const bytes = Buffer.allocUnsafe(this.#lengths[index]!);
    readSync(this.#file, bytes, 0, bytes.length, this.#starts[index]!);
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

function grown<T extends Float64Array | Uint32Array>(larger: T, values: T): T {
  larger.set(values);
  return larger;
}

/** Reads a whole file of rows. @throws LlavaError "data" naming the file and the row that is none */
export async function readRows(path: string): Promise<LlavaRow[]> {
  const rows: LlavaRow[] = [];
  for await (const batch of foundRows(path))
    for (const found of batch) {
      if ("error" in found) throw found.error;
      rows.push(found.row);
    }
  return rows;
}
