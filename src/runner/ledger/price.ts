import type { GenerationRequest, Usage } from "../../protocol/index.ts";

/** Of a million tokens, in any currency. */
export interface Price {
  readonly input: number;
  readonly output: number;
  /** Of the prompt's tokens that come from a cache; as `input` if left out. */
  readonly cached?: number;
}

/** What a request cost; undefined where the endpoint did not tell its tokens. */
export function costOf(usage: Usage, price: Price): number | undefined {
  const { promptTokens, completionTokens, cachedTokens = 0 } = usage;
  if (promptTokens === 0) return undefined;
  const cached = Math.min(cachedTokens, promptTokens);
  const { input, output, cached: ofCached = input } = price;
  return ((promptTokens - cached) * input + cached * ofCached + completionTokens * output) / 1e6;
}

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
