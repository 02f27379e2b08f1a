import { mkdirSync } from "node:fs";
import { type ErrorCode, LlavaError } from "../errors.ts";

/** Runs `write`; a file system that refuses (no folder, no permission, no room) is a LlavaError that names `path`. */
export function writing<T>(path: string, write: () => T, code?: ErrorCode): T {
  try {
    return write();
  } catch (cause) {
    throw unwritten(path, cause, code);
  }
}

/** The error for a file that could not be written; what is one already stays as it is. */
export function unwritten(path: string, cause: unknown, code: ErrorCode = "checkpoint"): LlavaError {
  if (cause instanceof LlavaError) return cause;
  return new LlavaError(code, `${path}: cannot be written: ${(cause as Error).message}`, {
    hint: "Check that the folder exists, may be written, and has room.",
    cause,
  });
}

/** Makes a folder and those above it. @throws LlavaError "checkpoint" */
export const makeFolder = (path: string): void => {
  writing(path, () => mkdirSync(path, { recursive: true }));
};
