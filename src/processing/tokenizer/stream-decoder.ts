import type { Tokenizer } from "./tokenizer.ts";

/**
 * Decodes ids as they are generated and holds back the bytes of an unfinished character, so that every piece is
 * valid text and all pieces together equal `tokenizer.decode` of all ids.
 */
export class StreamDecoder {
  readonly #tokenizer: Tokenizer;
  readonly #skipped: ReadonlySet<number>;
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #isStart = true;

  constructor(tokenizer: Tokenizer, { skipSpecial = true }: { skipSpecial?: boolean } = {}) {
    this.#tokenizer = tokenizer;
    this.#skipped = new Set(skipSpecial ? tokenizer.specialTokens.values() : []);
  }

  /** The text that `id` completes, often the empty string. */
  push(id: number): string {
    if (this.#skipped.has(id)) return "";
    return this.#withoutDummyPrefix(this.#decoder.decode(this.#tokenizer.bytesOf(id), { stream: true }));
  }

  /** What is left at the end: U+FFFD where a character was never finished. The decoder is then new again. */
  flush(): string {
    const rest = this.#withoutDummyPrefix(this.#decoder.decode());
    this.#isStart = true;
    return rest;
  }

  #withoutDummyPrefix(text: string): string {
    if (!this.#isStart || text === "") return text;
    this.#isStart = false;
    return this.#tokenizer.stripsLeadingSpace && text.startsWith(" ") ? text.slice(1) : text;
  }
}
