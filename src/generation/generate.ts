import { setImmediate } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import type { PretrainedLlava } from "../models/index.ts";
import {
  ContextFullError,
  type FinishReason,
  type SamplingOptions,
  type TextDelta,
} from "../protocol/index.ts";
import type { Tensor } from "../torch/index.ts";
import { Answer } from "./answer.ts";
import { PaddedBatch } from "./batch.ts";
import { Sampler } from "./sampler.ts";
import { type ChoosingRow, chooseTokens, decodeOne, embedPrompts, prefill } from "./steps.ts";

/** What generates: a model, the tokenizer that reads its tokens, the ids that end an answer. */
export type TextGenerator = Pick<PretrainedLlava, "model" | "tokenizer" | "stopIds" | "contextLength">;

/** One prompt, and how it is to be answered. */
export interface GenerationInput extends SamplingOptions {
  /** With a placeholder for each feature row of its images. */
  readonly inputIds: readonly number[];
  /** [N, 3, H, W] of its N images. The caller disposes of it. */
  readonly pixelValues?: Tensor;
  /** Whether end tokens are tokens like others, so that only length and stop strings end the answer. */
  readonly ignoreEos?: boolean;
}

export interface GenerationOptions {
  /** Columns of the prompts that go through the language model at once; 512. Between them an abort is noticed. */
  readonly prefillChunk?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Milliseconds. */
export interface Timings {
  /** Of reading the model, where that was part of the work. */
  readonly loadMs?: number;
  /** From the start to the first token, image encoding included. */
  readonly prefillMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  /** Of the answer's tokens after the first; 0 where there are none. */
  readonly tokensPerSecond: number;
}

export interface GenerationOutput {
  readonly text: string;
  /** Of the answer alone, with the end token if it came to one. */
  readonly tokenIds: readonly number[];
  readonly promptTokens: number;
  readonly imageTokens: number;
  readonly finishReason: FinishReason;
  readonly timings: Timings;
}

export interface GenerationFinish {
  readonly type: "finish";
  readonly output: GenerationOutput;
}

/** Text deltas, which together are the output's text, and then the finish. */
export type GenerationPart = TextDelta | GenerationFinish;

/** A part of the answer to the prompt at index `row`. */
export interface BatchPart {
  readonly row: number;
  readonly part: GenerationPart;
}

/** The longest answer where nobody says how long. */
export const defaultMaxTokens = 512;

/**
 * Answers one prompt, token by token.
 * @throws LlavaError "prompt" for a prompt that does not fit the context, before anything is computed
 */
export async function* generate(
  generator: TextGenerator,
  input: GenerationInput,
  options: GenerationOptions = {},
): AsyncGenerator<GenerationPart, void, undefined> {
  for await (const { part } of generateBatch(generator, [input], options)) yield part;
}

/**
 * Answers several prompts in step, each as it would be answered alone: padded on the left, with a sampler of its own.
 * The event loop gets a turn every few milliseconds; an abort ends all unfinished answers with what they have.
 * @throws LlavaError "prompt" for a prompt that does not fit the context, before anything is computed
 */
export async function* generateBatch(
  generator: TextGenerator,
  inputs: readonly GenerationInput[],
  { prefillChunk = 512, signal }: GenerationOptions = {},
): AsyncGenerator<BatchPart, void, undefined> {
  if (!(Number.isInteger(prefillChunk) && prefillChunk > 0))
    throw new LlavaError("usage", `prefillChunk must be a whole number above 0, got ${prefillChunk}`);
  if (inputs.length === 0) return;
  const { model } = generator;
  const rows = inputs.map((input, index) => new Row(generator, input, index));
  const pause = pauses();
  using batch = PaddedBatch.of(
    inputs.map(({ inputIds }) => inputIds),
    model,
  );
  const capacity = batch.length + Math.max(...rows.map((row) => row.maxTokens));
  using cache = model.languageModel.newCache({ batch: rows.length, capacity });
  let logits: Tensor | undefined;
  try {
    if (!signal?.aborted) {
      using embeddings = embedPrompts(
        model,
        batch,
        inputs.flatMap(({ pixelValues }) => pixelValues ?? []),
      );
      for (let start = 0; start < batch.length && !signal?.aborted; start += prefillChunk) {
        logits?.dispose();
        logits = prefill(model, cache, batch, embeddings, [
          start,
          Math.min(start + prefillChunk, batch.length),
        ]);
        await pause();
      }
    }
    while (!signal?.aborted) {
      const chosen = chooseTokens(logits!, rows);
      for (const row of rows) if (!row.isFinished) yield* row.add(chosen[row.index]!);
      if (rows.every((row) => row.isFinished)) return;
      await pause();
      if (signal?.aborted) break;
      logits!.dispose();
      logits = decodeOne(model, cache, batch, chosen);
    }
    for (const row of rows) if (!row.isFinished) yield* row.abort();
  } finally {
    logits?.dispose();
  }
}

/** A prompt of a batch with its answer so far. */
class Row implements ChoosingRow {
  readonly index: number;
  readonly sampler: Sampler;
  readonly maxTokens: number;
  readonly #promptIds: readonly number[];
  readonly #imageTokens: number;
  readonly #answer: Answer;
  readonly #started = performance.now();
  #firstToken: number | undefined;

  constructor(generator: TextGenerator, input: GenerationInput, index: number) {
    this.index = index;
    this.sampler = new Sampler(input);
    this.#promptIds = input.inputIds;
    const { imageTokens, ...limits } = limitsOf(generator, input);
    this.#imageTokens = imageTokens;
    this.maxTokens = limits.maxTokens;
    this.#answer = new Answer(generator.tokenizer, { ...limits, stopStrings: input.stop ?? [] });
  }

  get isFinished(): boolean {
    return this.#answer.finishReason !== undefined;
  }

  seen(): number[] {
    return [...this.#promptIds, ...this.#answer.tokenIds];
  }

  *add(id: number): Generator<BatchPart> {
    this.#firstToken ??= performance.now();
    yield* this.#parts(this.#answer.add(id));
  }

  *abort(): Generator<BatchPart> {
    yield* this.#parts(this.#answer.finish("aborted"));
  }

  *#parts(text: string): Generator<BatchPart> {
    if (text !== "") yield { row: this.index, part: { type: "text-delta", text } };
    if (this.isFinished) yield { row: this.index, part: { type: "finish", output: this.#output() } };
  }

  #output(): GenerationOutput {
    const { text, tokenIds, finishReason } = this.#answer;
    const now = performance.now();
    const decodeMs = now - (this.#firstToken ?? now);
    const decoded = Math.max(0, tokenIds.length - 1);
    return {
      text,
      tokenIds,
      promptTokens: this.#promptIds.length,
      imageTokens: this.#imageTokens,
      finishReason: finishReason!,
      timings: {
        prefillMs: (this.#firstToken ?? now) - this.#started,
        decodeMs,
        tokensPerSecond: decoded === 0 ? 0 : (decoded / decodeMs) * 1000,
      },
    };
  }
}

/**
 * How long an answer may be and which ids end it, and how many tokens of its prompt are images'.
 * @throws LlavaError "usage" for a length that is none, "prompt" for a prompt that leaves no room
 */
export function limitsOf(
  generator: TextGenerator,
  { inputIds, pixelValues, ignoreEos, maxTokens = defaultMaxTokens }: GenerationInput,
): { maxTokens: number; stopIds: ReadonlySet<number>; imageTokens: number } {
  if (!(Number.isInteger(maxTokens) && maxTokens > 0))
    throw new LlavaError("usage", `maxTokens must be a whole number above 0, got ${maxTokens}`);
  const imageTokens = (pixelValues?.size(0) ?? 0) * generator.model.visionTower.tokens;
  return {
    maxTokens: Math.min(maxTokens, roomFor(inputIds.length, imageTokens, generator)),
    stopIds: new Set(ignoreEos ? [] : generator.stopIds),
    imageTokens,
  };
}

/**
 * How many tokens an answer may have after a prompt.
 * @throws ContextFullError if there is no room for any
 */
export function roomFor(promptTokens: number, imageTokens: number, generator: TextGenerator): number {
  if (promptTokens === 0) throw new LlavaError("prompt", "the prompt is empty");
  const { slidingWindow = Infinity } = generator.model.languageModel.config;
  const limit = Math.min(generator.contextLength, slidingWindow);
  if (promptTokens < limit) return limit - promptTokens;
  throw new ContextFullError(promptTokens, imageTokens, limit);
}

/** Gives the event loop a turn when it had none for some milliseconds, so that signals and other work get through. */
function pauses(interval = 5): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < interval) return;
    await setImmediate();
    last = performance.now();
  };
}
