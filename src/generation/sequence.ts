import type { Visual } from "../models/index.ts";
import type { Tensor } from "../torch/index.ts";
import { Answer } from "./answer.ts";
import { type Budget, budgetOf } from "./budget.ts";
import type { GenerationInput, TextGenerator, TokenRules } from "./input.ts";
import { type ToldToken, tellToken } from "./log-probabilities.ts";
import { type GenerationOutput, Stopwatch } from "./output.ts";
import { Sampler } from "./sampler.ts";

/** Logits of what follows the rows of one sequence, among those of all. */
export interface NextLogits {
  /** [rows, V] */
  readonly tensor: Tensor;
  /** The likeliest token after the first row. */
  readonly likeliest: number;
}

/** How a sequence goes on. */
export interface Continuation {
  /** What can be shown because of it. */
  readonly text: string;
  /** The next token of each row. */
  readonly ids: readonly number[];
  /** The token's log probability and the likeliest beside it, where they were asked for. */
  readonly told?: ToldToken;
  /** Which of the rows before each one goes on from, where that is not its own. */
  readonly parents?: readonly number[];
}

/** What an engine runs: a prompt, and how its tokens are chosen. */
export interface Decoding {
  readonly promptIds: readonly number[];
  readonly visual: Visual | undefined;
  /** Linear factor of its positions, in the place of the model's own. */
  readonly ropeFactor: number | undefined;
  /** Rows of the cache that it takes once its prompt is read. */
  readonly rows: number;
  /** Tokens that prompt and answer can come to. */
  readonly capacity: number;
  readonly isFinished: boolean;
  /** Tokens of its answer that it goes on after, where it was released before. */
  resume(): readonly number[];
  /** Chooses; at first the logits are those of one row, whatever `rows` is. */
  next(logits: NextLogits): Continuation;
  /** Ends it with what it has; returns the text that was still held back. */
  abort(): string;
  /** Of an answer that is finished. */
  output(): GenerationOutput;
}

/** A prompt whose answer is drawn token by token, each by the sampler that is its own. */
export class Sequence implements Decoding {
  readonly rows = 1;
  readonly promptIds: readonly number[];
  readonly visual: Visual | undefined;
  readonly ropeFactor: number | undefined;
  readonly sampler: Sampler;
  readonly answer: Answer;
  readonly capacity: number;
  readonly #budget: Budget;
  readonly #rules: TokenRules;
  readonly #watch = new Stopwatch();

  /** @throws LlavaError "usage" for an option out of its range, "prompt" for a prompt that leaves no room */
  constructor(generator: TextGenerator, input: GenerationInput) {
    this.promptIds = input.inputIds;
    this.visual = visualOf(input);
    this.ropeFactor = input.ropeFactor;
    this.sampler = new Sampler(input);
    this.#budget = budgetOf(generator, input);
    this.#rules = input;
    this.answer = new Answer(generator.processor.tokenizer, this.#budget);
    this.capacity = input.inputIds.length + this.#budget.maxTokens;
  }

  get isFinished(): boolean {
    return this.answer.finishReason !== undefined;
  }

  resume(): readonly number[] {
    return this.answer.tokenIds;
  }

  next(logits: NextLogits): Continuation {
    const { filter, topLogprobs } = this.#rules;
    const restrict = this.#restriction();
    const isArgmax = this.sampler.isArgmax && restrict === undefined;
    const row = isArgmax && topLogprobs === undefined ? undefined : logits.tensor.toFloat32Array();
    const id = isArgmax
      ? logits.likeliest
      : this.sampler.choose(row!, [...this.promptIds, ...this.answer.tokenIds], {
          answer: this.answer.tokenIds,
          restrict,
        });
    this.#watch.token();
    let text = this.answer.add(id);
    if (filter !== undefined && !this.isFinished) {
      filter.accept(id);
      if (filter.isFinished) text += this.answer.finish("stop");
    }
    return { text, ids: [id], ...(topLogprobs !== undefined && { told: tellToken(row!, id, topLogprobs) }) };
  }

  /** What may not come next, if anything. */
  #restriction(): ((row: Float32Array) => void) | undefined {
    const { filter, minTokens = 0 } = this.#rules;
    const isShort = this.answer.tokenIds.length < minTokens;
    if (filter === undefined && !isShort) return undefined;
    return (row) => {
      const mask = filter?.mask();
      if (mask !== undefined)
        for (let id = 0; id < row.length; id++)
          if (((mask[id >>> 5]! >>> (id & 31)) & 1) === 0) row[id] = -Infinity;
      if (isShort) for (const id of this.#budget.stopIds) if (id < row.length) row[id] = -Infinity;
    };
  }

  abort(): string {
    return this.answer.finish("aborted");
  }

  output(): GenerationOutput {
    const { text, tokenIds, finishReason } = this.answer;
    return {
      text,
      tokenIds,
      promptTokens: this.promptIds.length,
      imageTokens: this.#budget.imageTokens,
      finishReason: finishReason!,
      timings: this.#watch.timings(tokenIds.length),
    };
  }
}

export function visualOf({ pixelValues, imageFeatures, layouts }: GenerationInput): Visual | undefined {
  if (pixelValues !== undefined) return { pixels: pixelValues, ...(layouts && { layouts }) };
  return imageFeatures && { features: imageFeatures, ...(layouts && { layouts }) };
}
