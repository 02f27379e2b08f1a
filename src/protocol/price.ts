import type { Usage } from "./usage.ts";

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
