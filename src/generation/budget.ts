import { LlavaError } from "../errors.ts";
import { ContextFullError } from "../protocol/index.ts";
import type { GenerationInput, TextGenerator } from "./input.ts";

/** The longest answer where nobody says how long. */
export const defaultMaxTokens = 512;

/** How long an answer may be, what ends it before, and how many tokens of its prompt are images'. */
export interface Budget {
  readonly maxTokens: number;
  /** Ids that end the answer; they count among its tokens but are no part of its text. */
  readonly stopIds: ReadonlySet<number>;
  readonly stopStrings: readonly string[];
  readonly imageTokens: number;
}

/** @throws LlavaError "usage" for a length that is none, "prompt" for a prompt that leaves no room */
export function budgetOf(
  generator: TextGenerator,
  { inputIds, ignoreEos, stop = [], stopIds = [], maxTokens = defaultMaxTokens, ropeFactor }: GenerationInput,
): Budget {
  if (!(Number.isInteger(maxTokens) && maxTokens > 0))
    throw new LlavaError("usage", `maxTokens must be a whole number above 0, got ${maxTokens}`);
  const { imageTokenId } = generator.model;
  const imageTokens = inputIds.filter((id) => id === imageTokenId).length;
  return {
    maxTokens: Math.min(maxTokens, roomFor(inputIds.length, imageTokens, generator, ropeFactor)),
    stopIds: new Set([...(ignoreEos ? [] : generator.processor.stopIds), ...stopIds]),
    stopStrings: stop,
    imageTokens,
  };
}

/** Most positions that prompt and answer may have. */
export function contextOf(
  { model, processor: { contextLength, trainedLength } }: TextGenerator,
  ropeFactor?: number,
): number {
  const positions = ropeFactor === undefined ? contextLength : Math.floor(trainedLength * ropeFactor);
  return Math.min(positions, model.languageModel.config.slidingWindow ?? Infinity);
}

/**
 * How many tokens an answer may have after a prompt.
 * @throws ContextFullError if there is no room for any
 */
export function roomFor(
  promptTokens: number,
  imageTokens: number,
  { model, processor }: TextGenerator,
  ropeFactor?: number,
): number {
  if (promptTokens === 0) throw new LlavaError("prompt", "the prompt is empty");
  const limit = contextOf({ model, processor }, ropeFactor);
  if (promptTokens < limit) return limit - promptTokens;
  throw new ContextFullError(promptTokens, imageTokens, limit);
}
