import { packageVersion } from "../../package.ts";
import type { FinishReason, ServedToken, TokenProbability, Usage } from "../../protocol/index.ts";

/** OpenAI's spellings of what answers are made of. */

export const wireUsage = ({ promptTokens, completionTokens, imageTokens, cachedTokens = 0 }: Usage) => ({
  prompt_tokens: promptTokens,
  completion_tokens: completionTokens,
  total_tokens: promptTokens + completionTokens,
  prompt_tokens_details: {
    cached_tokens: cachedTokens,
    image_tokens: imageTokens,
    text_tokens: promptTokens - imageTokens,
  },
});

export const wireFinish = (reason: FinishReason): string =>
  reason === "filtered" ? "content_filter" : reason;

/** Of chat completions and responses. Texts of tokens may be half a character; their bytes never lie. */
export const wireLogprobs = (tokens: readonly ServedToken[]) =>
  tokens.map((token) => ({ ...wireToken(token), top_logprobs: token.top.map(wireToken) }));

const wireToken = ({ bytes, logprob }: TokenProbability) => ({
  token: textOf(bytes),
  logprob: finite(logprob),
  bytes: [...bytes],
});

/** Of completions. @param offset characters of the text before these tokens */
export function completionLogprobs(tokens: readonly ServedToken[], offset = 0) {
  let at = offset;
  const text_offset = tokens.map(({ bytes }) => {
    const start = at;
    at += textOf(bytes).length;
    return start;
  });
  return {
    tokens: tokens.map(({ bytes }) => textOf(bytes)),
    token_logprobs: tokens.map(({ logprob }) => finite(logprob)),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.map(({ bytes, logprob }) => [textOf(bytes), finite(logprob)])),
    ),
    text_offset,
  };
}

/** JSON has no infinity; OpenAI writes this for what is all but impossible. */
const finite = (logprob: number): number => Math.max(logprob, -9999);

const decoder = new TextDecoder();
const textOf = (bytes: Uint8Array): string => decoder.decode(bytes);

/** What made an answer: the same seed and request give the same answer under the same print. */
export const systemFingerprint = `build-${packageVersion()}`;

/** Seconds since 1970. */
export const now = (): number => Math.floor(Date.now() / 1000);
