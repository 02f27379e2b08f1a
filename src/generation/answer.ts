import { StreamDecoder, type Tokenizer } from "../processing/tokenizer/index.ts";
import type { FinishReason } from "../protocol/index.ts";
import type { Budget } from "./budget.ts";
import { StopStrings } from "./stopping.ts";

/** The tokens of one answer as they come, the text they make, and when it is finished. */
export class Answer {
  readonly tokenIds: number[] = [];
  readonly #limits: Pick<Budget, "maxTokens" | "stopIds" | "stopStrings">;
  readonly #decoder: StreamDecoder;
  readonly #stopStrings: StopStrings;
  #text = "";
  #finishReason: FinishReason | undefined;
  #stoppedBy: number | string | undefined;

  constructor(tokenizer: Tokenizer, limits: Pick<Budget, "maxTokens" | "stopIds" | "stopStrings">) {
    this.#limits = limits;
    this.#decoder = new StreamDecoder(tokenizer);
    this.#stopStrings = new StopStrings(limits.stopStrings);
  }

  get text(): string {
    return this.#text;
  }

  get finishReason(): FinishReason | undefined {
    return this.#finishReason;
  }

  /** The id or the stop string that ended it. */
  get stoppedBy(): number | string | undefined {
    return this.#stoppedBy;
  }

  /** Adds a token; returns the text that can be shown because of it, complete characters only. */
  add(id: number): string {
    this.tokenIds.push(id);
    if (this.#limits.stopIds.has(id)) {
      this.#stoppedBy = id;
      return this.finish("stop");
    }
    const text = this.#show(this.#decoder.push(id));
    if (this.#finishReason === undefined && this.tokenIds.length >= this.#limits.maxTokens)
      return text + this.finish("length");
    return text;
  }

  /** Ends the answer; returns the text that was still held back. */
  finish(reason: FinishReason): string {
    const text = this.#show(this.#decoder.flush());
    if (this.#finishReason !== undefined) return text;
    const rest = this.#stopStrings.flush();
    this.#text += rest;
    this.#finishReason = reason;
    return text + rest;
  }

  /** What can be shown because of more text, which may hold a stop string. */
  #show(more: string): string {
    const { text, stopped, by } = this.#stopStrings.push(more);
    this.#text += text;
    if (stopped) {
      this.#finishReason = "stop";
      this.#stoppedBy = by;
    }
    return text;
  }
}
