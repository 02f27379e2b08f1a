import { closeSync, fstatSync, fsyncSync, openSync, readSync, renameSync, rmSync, writeSync } from "node:fs";
import { LlavaError } from "../errors.ts";
import { type JsonObject, parseJsonObject } from "../json.ts";

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
  } finally {
    closeSync(descriptor);
  }
}

function openToRead(path: string): number {
  try {
    return openSync(path, "r");
  } catch (cause) {
    throw new LlavaError("checkpoint", `${path}: cannot be opened: ${(cause as Error).message}`, {
      hint: "Check the path and that the file may be read.",
      cause,
    });
  }
}

/** Writes pieces one after another to a file that appears under `path` only when all of them are on disk. */
export function writeAtomically(path: string, pieces: Iterable<Uint8Array>): void {
  const temporary = `${path}.${process.pid}.partial`;
  try {
    const descriptor = openSync(temporary, "w");
    try {
      for (const piece of pieces) {
        for (let done = 0; done < piece.byteLength; ) {
          done += writeSync(descriptor, piece, done, piece.byteLength - done);
        }
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(temporary, path);
  } catch (cause) {
    rmSync(temporary, { force: true });
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("checkpoint", `${path}: cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder exists, may be written, and has room.",
      cause,
    });
  }
}

/** Parses JSON from a file; a file that is missing or no JSON object is a LlavaError. */
export function readJsonObject(path: string): JsonObject {
  const { bytes } = readPrefix(path, Number.MAX_SAFE_INTEGER);
  return parseJsonObject(bytes, path);
}
