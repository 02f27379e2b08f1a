/**
 * What went wrong, in words a user can act on. Callers branch on `code`; people read `message` and `hint`.
 * The command line prints `message` and `hint` on a line each and exits with a status that is not 0.
 */
export type ErrorCode =
  | "image" // an image that cannot be decoded, or is too large to decode safely
  | "video" // a video that cannot be decoded, or has no frames
  | "checkpoint" // a file of weights or its configuration is missing, cut short, or of another shape
  | "config" // an unknown model type, recipe field or option value
  | "prompt" // a prompt that does not fit: placeholders without images, too many tokens, a bad role order
  | "data" // a dataset row or shard that cannot be used
  | "torch" // libtorch refused an operation
  | "setup" // libtorch, the addon or model files are not installed and cannot be
  | "budget" // a cap on what a run may cost was reached
  | "network" // a download failed or an address is not allowed
  | "overloaded" // more requests wait already than may
  | "aborted" // the user or an AbortSignal stopped the work
  | "usage"; // the command line or an API was called wrongly

export class LlavaError extends Error {
  readonly code: ErrorCode;
  /** What to do about it, one sentence. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LlavaError";
    this.code = code;
    this.hint = options.hint;
  }
}
