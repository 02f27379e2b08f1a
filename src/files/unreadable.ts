import { type ErrorCode, LlavaError } from "../errors.ts";

/** The error for a file that cannot be read. */
export const unreadable = (path: string, cause: unknown, code: ErrorCode = "data"): LlavaError =>
  new LlavaError(code, `${path}: cannot be read: ${(cause as Error).message}`, {
    hint: "Check the path, and that the file may be read.",
    cause,
  });
