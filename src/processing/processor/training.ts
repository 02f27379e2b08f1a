import { requestedFormat, trainingFormat } from "../conversation/index.ts";
import type { Processor } from "./processor.ts";

export interface TrainingProcessor {
  readonly processor: Processor;
  /** What a user should know of the ends of answers (see `trainingFormat`). */
  readonly note?: string;
}

/**
 * As rows are written for training: by the model's own format or a named template, with answers that end in a token at which
 * generation stops.
 * @throws LlavaError "config" for an answer end without a template
 */
export function trainingProcessor(
  own: Processor,
  asked: { readonly template?: string | undefined; readonly answerEnd?: string | undefined } = {},
): TrainingProcessor {
  const { tokenizer, stopIds } = own;
  const { choice: format, note } = trainingFormat(
    requestedFormat(own.source.format, asked),
    tokenizer,
    stopIds,
  );
  return { processor: own.with({ format, stopIds }), ...(note !== undefined && { note }) };
}
