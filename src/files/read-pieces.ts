import { createReadStream } from "node:fs";
import { LlavaError } from "../errors.ts";

/** A file from its begin to its end. @throws LlavaError "data" where it cannot be read */
export async function* readPieces(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 });
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Check the path, and that the file may be read.",
      cause,
    });
  }
}
