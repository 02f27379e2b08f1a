/** A predicted caption and the captions people wrote for the same image, all as tokens (`captionTokens`). */
export interface ScoredCaption {
  readonly prediction: readonly string[];
  /** At least one. */
  readonly references: readonly (readonly string[])[];
}

/** Arithmetic mean; 0 of nothing. */
export function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}
