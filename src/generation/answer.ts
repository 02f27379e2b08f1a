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

  /** Adds a token; returns the text that can be shown because of it, complete characters only. */
  add(id: number): string {
    this.tokenIds.push(id);
    if (this.#limits.stopIds.has(id)) return this.finish("stop");
    const { text, stopped } = this.#stopStrings.push(this.#decoder.push(id));
    this.#text += text;
    if (stopped) this.#finishReason = "stop";
    else if (this.tokenIds.length >= this.#limits.maxTokens) return text + this.finish("length");
    return text;
  }

  /** Ends the answer; returns the text that was still held back. */
  finish(reason: FinishReason): string {
    const { text, stopped } = this.#stopStrings.push(this.#decoder.flush());
    const rest = stopped ? text : text + this.#stopStrings.flush();
    this.#text += rest;
    this.#finishReason = stopped ? "stop" : reason;
    return rest;
  }
}
