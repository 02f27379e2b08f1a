import { LlavaError } from "../../errors.ts";
import type { Matcher } from "../engine/index.ts";
import type { Library, Pointer } from "./library.ts";

/** Those that nobody disposed of are freed with their object. */
const forgotten = new FinalizationRegistry<{ readonly library: Library; readonly pointer: Pointer }>(
  ({ library, pointer }) => library.freeMatcher(pointer),
);

/** Where an answer stands in a compiled grammar. */
export class GrammarMatcher implements Matcher {
  readonly #library: Library;
  readonly #pointer: Pointer;
  readonly #words: Uint32Array;
  #isDisposed = false;

  /** Takes over the pointer; `words` of 32 tokens make a mask. */
  constructor(library: Library, pointer: Pointer, words: number) {
    this.#library = library;
    this.#pointer = pointer;
    this.#words = new Uint32Array(words);
    forgotten.register(this, { library, pointer }, this);
  }

  /** What stands in the way of the grammar, or went wrong since. */
  get error(): string | undefined {
    return this.#library.error(this.#pointer)?.replace(/\s*<non-verbose\/>\s*$/, "");
  }

  get isFinished(): boolean {
    return this.#library.isStopped(this.#pointer);
  }

  /** Whether the answer may end here. */
  get isAccepting(): boolean {
    return this.#library.isAccepting(this.#pointer);
  }

  /** At the same place of the grammar, going its own way from here. */
  clone(): GrammarMatcher {
    return new GrammarMatcher(this.#library, this.#library.cloneMatcher(this.#pointer), this.#words.length);
  }

  mask(): Uint32Array {
    this.#require(this.#library.mask(this.#pointer, this.#words, this.#words.byteLength));
    return this.#words;
  }

  accept(id: number): void {
    this.#require(this.#library.consume(this.#pointer, id));
  }

  #require(status: number): void {
    if (status === 0) return;
    throw new LlavaError("config", `the answer cannot be held to its grammar any further: ${this.error}`, {
      hint: "A simpler grammar or schema takes less to follow.",
    });
  }

  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    forgotten.unregister(this);
    this.#library.freeMatcher(this.#pointer);
  }
}
