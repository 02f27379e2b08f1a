import { readFile } from "node:fs/promises";
import type { z } from "zod";
import { LlavaError } from "../errors.ts";
import { readPrefix } from "./prefix.ts";
import { serverError, strayKind } from "./stray-kind.ts";
import { unreadable } from "./unreadable.ts";
import { decodeLines } from "./utf8.ts";

export type JsonObject = Record<string, unknown>;

/** Like `JSON.parse`'s, with the spelling of numbers, strings, booleans and null. */
export type JsonReviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown;

/**
 * JSON as Python's `json` module reads and writes it: besides the standard's values also the bare words `NaN`,
 * `Infinity` and `-Infinity`, as the numbers they name. The one reader for what others wrote: configurations, indexes,
 * rows, answers.
 * @throws SyntaxError as `JSON.parse` does
 */
export function parseJson(text: string, reviver?: JsonReviver): unknown {
  try {
    return parse(text, reviver);
  } catch (error) {
    if (!/NaN|Infinity/.test(text)) throw error;
    const nan = unusedNumber(text);
    // Of the same length, so that an error further on is found at its own place.
    const standard = text.replace(PYTHON_NUMBER, (found, word?: string) =>
      word === undefined ? found : word === "NaN" ? nan : word.replace("Infinity", "1e999999"),
    );
    return parse(standard, (key: string, value: unknown, context: { readonly source?: string }) => {
      const number = context.source === nan ? Number.NaN : value;
      return reviver === undefined ? number : reviver(key, number, context);
    });
  }
}

const { parse } = JSON as typeof JSON & { parse(text: string, reviver?: JsonReviver): unknown };

/** A string, which is passed over, or a number that is Python's alone. */
const PYTHON_NUMBER = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\w.+-])(-?Infinity|NaN)(?!\w)/gs;

/** A number spelt as it is nowhere in a text, to be known again. */
function unusedNumber(text: string): string {
  let n = 0;
  while (text.includes(`${n % 10}e${n}`)) n++;
  return `${n % 10}e${n}`;
}

/** @throws LlavaError "checkpoint", naming `where`, for anything but a JSON object (as `parseJson` has it) in UTF-8 */
export function parseJsonObject(json: string | Uint8Array, where: string): JsonObject {
  let value: unknown;
  try {
    value = parseJson(
      typeof json === "string" ? json : new TextDecoder("utf-8", { fatal: true }).decode(json),
    );
  } catch (cause) {
    const bytes = typeof json === "string" ? Buffer.from(json) : json;
    const kind = strayKind(bytes);
    if (kind !== undefined)
      throw new LlavaError("checkpoint", `${where} is ${kind.what}; expected JSON`, {
        hint: kind.hint,
        cause,
      });
    throw new LlavaError("checkpoint", `${where} is not valid JSON: ${(cause as Error).message}`, {
      hint: "The file is damaged or not complete; download it again.",
      cause,
    });
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    const error = serverError(value as JsonObject);
    if (error === undefined) return value as JsonObject;
    throw new LlavaError("checkpoint", `${where} is a server's error, not the file: ${error}`, {
      hint: "The download failed; fetch the file again.",
    });
  }
  const found = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new LlavaError("checkpoint", `${where}: holds ${found}; expected a JSON object`, {
    hint: "The file is damaged, or another one under its name; download it again.",
  });
}

/** The JSON object in a file of a model; `undefined` where there is no such file. */
export async function readJsonFile(path: string): Promise<JsonObject | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new LlavaError("checkpoint", `${path} cannot be read: ${(cause as Error).message}`, {
      hint: "Check that it is a file that may be read.",
      cause,
    });
  }
  return parseJsonObject(bytes, path);
}

/** Parses JSON from a file; a file that is missing or no JSON object is a LlavaError. */
export function readJsonObject(path: string): JsonObject {
  const { bytes } = readPrefix(path, Number.MAX_SAFE_INTEGER);
  return parseJsonObject(bytes, path);
}

/**
 * The same for writing again: numbers keep their spelling, since readers of a configuration may tell 1.0 from 1. They are
 * opaque until then.
 */
export function readJsonVerbatim(path: string): JsonObject {
  const { bytes } = readPrefix(path, Number.MAX_SAFE_INTEGER);
  parseJsonObject(bytes, path);
  const { rawJSON } = JSON as typeof JSON & { rawJSON(text: string): unknown };
  const spelt: JsonReviver = (_, value, { source }) =>
    typeof value === "number" && source !== undefined && !Number.isNaN(value) ? rawJSON(source) : value;
  return parseJson(bytes.toString("utf8"), spelt) as JsonObject;
}

/** The text of a data set's file. @throws LlavaError "data" for a file that cannot be read or is not UTF-8 */
export async function readDataFile(path: string): Promise<string> {
  const bytes = await readFile(path).catch((cause) => {
    throw unreadable(path, cause);
  });
  return decodeLines(bytes, path);
}

/** What does not fit a schema, in one line: "data.rows: is needed; seed: expected number". */
export const describeIssues = ({ issues }: z.ZodError): string =>
  issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message)).join("; ");
