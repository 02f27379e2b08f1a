import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { LlavaError } from "../../errors.ts";
import { readDataFile } from "../../files/index.ts";

/** The value in a JSON file, gzip-compressed or not. @throws LlavaError "data" naming the file and the line that is wrong */
export async function readJsonDocument(path: string): Promise<unknown> {
  const text = /\.(gz|gzip)$/.test(path) ? await readCompressed(path) : await readDataFile(path);
  try {
    return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new LlavaError("data", `${path}:${lineOf(message, text)}: not valid JSON: ${message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

async function readCompressed(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(gunzipSync(await readFile(path)));
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "The file is damaged or not complete; fetch it again.",
      cause,
    });
  }
}

/** V8 names the line of a syntax error, except where the text ends too early. */
function lineOf(message: string, text: string): number {
  const named = /\(line (\d+) column \d+\)/.exec(message)?.[1];
  return named === undefined ? text.split("\n").length : Number(named);
}
