import { createReadStream } from "node:fs";
import { unreadable } from "./unreadable.ts";

/** A file from its begin to its end. @throws LlavaError "data" where it cannot be read */
export async function* readPieces(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
