import { LlavaError } from "../errors.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });

/**
 * The text of a file's lines.
 * @param before lines of the file that come before them
 * @throws LlavaError "data" naming the line that is not UTF-8
 */
export function decodeLines(bytes: Uint8Array, path: string, before = 0): string {
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new LlavaError("data", `${path}:${before + firstBadLine(bytes)}: not UTF-8`, {
      hint: "Convert the file to UTF-8.",
      cause,
    });
  }
}

/** Counted from 1. A newline is a character of its own in UTF-8, so that each line can be looked at alone. */
function firstBadLine(bytes: Uint8Array): number {
  let line = 1;
  for (const each of linesIn(bytes)) {
    try {
      decoder.decode(each);
    } catch {
      break;
    }
    line++;
  }
  return line;
}

/** What stands between newlines. */
export function* linesIn<Bytes extends Uint8Array>(bytes: Bytes): Generator<Bytes> {
  for (let start = 0; start <= bytes.length; ) {
    const found = bytes.indexOf(0x0a, start);
    const end = found < 0 ? bytes.length : found;
    yield bytes.subarray(start, end) as Bytes;
    start = end + 1;
  }
}
