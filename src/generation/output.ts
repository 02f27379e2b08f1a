import type { FinishReason, TextDelta, Usage } from "../protocol/index.ts";

/** Milliseconds. */
export interface Timings {
  /** Of reading the model, where that was part of the work. */
  readonly loadMs?: number;
  /** From the start to the first token, image encoding included. */
  readonly prefillMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  /** Of the answer's tokens after the first; 0 where there are none. */
  readonly tokensPerSecond: number;
}

export interface GenerationOutput {
  readonly text: string;
  /** Of the answer alone, with the end token if it came to one. */
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  readonly imageTokens: number;
  readonly finishReason: FinishReason;
  readonly timings: Timings;
  /** Of an answer that beam search found: the sum of its log probabilities, divided by a power of its length. */
  readonly score?: number;
}

interface GenerationFinish {
  readonly type: "finish";
  readonly output: GenerationOutput;
}

/** Text deltas, which together are the output's text, and then the finish. */
export type GenerationPart = TextDelta | GenerationFinish;

/** A part of the answer to the prompt at index `row`. */
export interface BatchPart {
  readonly row: number;
  readonly part: GenerationPart;
}

export const usageOf = ({ promptTokens, imageTokens, tokenIds }: GenerationOutput): Usage => ({
  promptTokens,
  imageTokens,
  completionTokens: tokenIds.length,
});

/** When an answer began, and when its first token came. */
export class Stopwatch {
  readonly #started = performance.now();
  #firstToken: number | undefined;

  token(): void {
    this.#firstToken ??= performance.now();
  }

  /** Of an answer of so many tokens that ends now. */
  timings(tokens: number): Timings {
    const now = performance.now();
    const decodeMs = now - (this.#firstToken ?? now);
    const decoded = Math.max(0, tokens - 1);
    return {
      prefillMs: (this.#firstToken ?? now) - this.#started,
      decodeMs,
      tokensPerSecond: decoded === 0 ? 0 : (decoded / decodeMs) * 1000,
    };
  }
}
