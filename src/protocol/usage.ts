/** Tokens that a request took. */
export interface Usage {
  /** All tokens of the prompt, those of its images included. */
  readonly promptTokens: number;
  readonly imageTokens: number;
  /** All tokens that were generated, those of hidden reasoning included. */
  readonly completionTokens: number;
  /** Those of the prompt that an endpoint had in its cache, where it says so. */
  readonly cachedTokens?: number;
  /** Those of the completion that went into reasoning which the answer does not show, where an endpoint says so. */
  readonly reasoningTokens?: number;
}

/** That of an answer which does not tell it. */
export const noUsage: Usage = { promptTokens: 0, imageTokens: 0, completionTokens: 0 };

/** What two requests took together. */
export function addUsage(one: Usage, other: Usage): Usage {
  const cached = (one.cachedTokens ?? 0) + (other.cachedTokens ?? 0);
  const reasoning = (one.reasoningTokens ?? 0) + (other.reasoningTokens ?? 0);
  return {
    promptTokens: one.promptTokens + other.promptTokens,
    imageTokens: one.imageTokens + other.imageTokens,
    completionTokens: one.completionTokens + other.completionTokens,
    ...(cached > 0 && { cachedTokens: cached }),
    ...(reasoning > 0 && { reasoningTokens: reasoning }),
  };
}
