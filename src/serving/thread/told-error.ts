import { type ErrorCode, LlavaError } from "../../errors.ts";
import { ContextFullError, OverloadedError, PartError } from "../../protocol/index.ts";
import type { ToldError } from "./messages.ts";

/** An error as another thread can be told of it. */
export function toldOf(error: unknown): ToldError {
  if (!(error instanceof LlavaError))
    return {
      kind: "other",
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    };
  const { message, code, hint } = error;
  const told = { message, code, hint };
  if (error instanceof ContextFullError) {
    const { promptTokens, imageTokens, contextLength } = error;
    return { ...told, kind: "context-full", numbers: [promptTokens, imageTokens, contextLength] };
  }
  if (error instanceof OverloadedError) return { ...told, kind: "overloaded", numbers: [error.retryAfter] };
  if (error instanceof PartError)
    return { ...told, kind: "part", numbers: [error.messageIndex, error.partIndex] };
  return { ...told, kind: "llava" };
}

/** The error that another thread told of. */
export function errorOf({ kind, message, code, hint, numbers = [] }: ToldError): Error {
  if (kind === "other") return new Error(message);
  const [one = 0, two = 0, three = 0] = numbers;
  const hinted = hint === undefined ? {} : { hint };
  if (kind === "context-full") return new ContextFullError(one, two, three, hinted);
  if (kind === "overloaded") return new OverloadedError(message, one);
  const plain = new LlavaError(code as ErrorCode, message, hinted);
  return kind === "part" ? new PartError(plain, one, two) : plain;
}
