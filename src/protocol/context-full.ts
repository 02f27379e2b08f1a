import { LlavaError } from "../errors.ts";

/** A conversation that leaves no room for an answer in the model's context. */
export class ContextFullError extends LlavaError {
  readonly imageTokens: number;
  /** All of the prompt's, those of its images included. */
  readonly promptTokens: number;
  /** What the context holds, answer included. */
  readonly contextLength: number;

  constructor(
    promptTokens: number,
    imageTokens: number,
    contextLength: number,
    {
      hint = "Shorten the prompt, begin a new conversation, or give fewer images.",
    }: { readonly hint?: string } = {},
  ) {
    super(
      "prompt",
      `the prompt has ${promptTokens} tokens, ${imageTokens} of them from images; the model's context holds ${contextLength}, answer included`,
      { hint },
    );
    this.promptTokens = promptTokens;
    this.imageTokens = imageTokens;
    this.contextLength = contextLength;
  }
}
