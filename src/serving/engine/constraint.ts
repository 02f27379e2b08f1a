import type { AnswerConstraint } from "../../protocol/index.ts";

/** Where an answer stands in what it is held to. */
export interface Matcher extends Disposable {
  /** Which tokens may come next: bit i % 32 of word i / 32 for id i. Good until the next call. */
  mask(): Uint32Array;
  /** Takes the token that was chosen. */
  accept(id: number): void;
  /** Whether nothing but an end may follow. */
  readonly isFinished: boolean;
}

/** Reads constraints for one model's vocabulary. */
export interface ConstraintCompiler {
  /** @throws LlavaError "config" for one that is malformed, too large, or cannot be held to */
  compile(constraint: AnswerConstraint, signal?: AbortSignal): Promise<Matcher>;
}
