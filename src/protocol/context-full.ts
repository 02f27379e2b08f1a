import { LlavaError } from "../errors.ts";

/** A conversation that leaves no room for an answer in the model's context. */
export class ContextFullError extends LlavaError {
  /** All of the prompt's, those of its images included. */
  readonly promptTokens: number;
  /** What the context holds, answer included. */
  readonly contextLength: number;

  constructor(promptTokens: number, imageTokens: number, contextLength: number) {
    super(
      "prompt",
      `the prompt has ${promptTokens} tokens, ${imageTokens} of them from images; the model's context holds ${contextLength}, answer included`,
      { hint: "Shorten the prompt, begin a new conversation, or give fewer images." },
    );
    this.promptTokens = promptTokens;
    this.contextLength = contextLength;
  }
}
