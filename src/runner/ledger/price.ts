import type { GenerationRequest, Price } from "../../protocol/index.ts";

/** More tokens than any image takes that an endpoint is known to read. */
const imageTokens = 16_384;
/** Of a message's frame: roles and marks of templates. */
const frameTokens = 16;

/** Tokens that a prompt has at most: no tokenizer makes more of a text than it has bytes. */
export function mostPromptTokens({ messages }: GenerationRequest): number {
  let tokens = 3;
  for (const { content } of messages) {
    tokens += frameTokens;
    if (typeof content === "string") tokens += Buffer.byteLength(content);
    else
      for (const part of content) tokens += part.type === "text" ? Buffer.byteLength(part.text) : imageTokens;
  }
  return tokens;
}

/** What a request costs at most. @param besides bytes of the body beside the messages, such as a schema */
export const mostCost = (request: GenerationRequest, price: Price, besides = 0): number =>
  ((mostPromptTokens(request) + besides) * price.input +
    (request.sampling?.maxTokens ?? Number.POSITIVE_INFINITY) * price.output) /
  1e6;
