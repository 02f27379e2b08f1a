import {
  closeSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { LlavaError } from "../errors.ts";
import { type JsonObject, type JsonReviver, parseJson, parseJsonObject } from "../files/index.ts";

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

/** Runs `write`; a file system that refuses (no folder, no permission, no room) is a LlavaError that names `path`. */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("checkpoint", `${path}: cannot be written: ${(cause as Error).message}`, {
      hint: "Check that the folder exists, may be written, and has room.",
      cause,
    });
  }
}

/** Makes a folder and those above it. */
export const makeFolder = (path: string): void => {
  writing(path, () => mkdirSync(path, { recursive: true }));
};

/** Writes pieces one after another to a file that appears under `path` only when all of them are on disk. */
export function writeAtomically(path: string, pieces: Iterable<string | Uint8Array>): void {
  const temporary = `${path}.${process.pid}.partial`;
  writing(path, () => {
    const descriptor = openSync(temporary, "w");
    try {
      try {
        for (const piece of pieces)
          writeWhole(descriptor, typeof piece === "string" ? Buffer.from(piece) : piece);
        fsyncSync(descriptor);
      } finally {
        closeSync(descriptor);
      }
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  });
}

/** Most bytes that one call writes: the system takes less than 2 GiB at once. */
const LARGEST_WRITE = 2 ** 30;

function writeWhole(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; )
    done += writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, LARGEST_WRITE));
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
