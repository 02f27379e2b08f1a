import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { LlavaError } from "../errors.ts";

/** At most `length` bytes of a file from `start`, and the length of all of it. */
export function readPrefix(path: string, length: number, start = 0): { bytes: Buffer; fileLength: number } {
  const descriptor = openToRead(path);
  try {
    const fileLength = fstatSync(descriptor).size;
    const bytes = Buffer.alloc(Math.max(0, Math.min(length, fileLength - start)));
    let done = 0;
    while (done < bytes.byteLength) {
      const count = readSync(descriptor, bytes, done, bytes.byteLength - done, start + done);
      if (count === 0) break;
      done += count;
    }
    return { bytes: bytes.subarray(0, done), fileLength };
  } catch (cause) {
    throw unreadable(path, "read", cause);
  } finally {
    closeSync(descriptor);
  }
}

function openToRead(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw unreadable(path, "opened", cause);
  }
}

const unreadable = (path: string, what: string, cause: unknown): LlavaError =>
  new LlavaError("checkpoint", `${path}: cannot be ${what}: ${(cause as Error).message}`, {
    hint: "Check the path and that the file may be read.",
    cause,
  });
