import type { Answers } from "../answers/index.ts";

/**
 * Joins questions to answers by id and notices an id that comes twice. Answers mostly stand in the order of their
 * questions: as long as they do, neither a look-up nor a set of ids is needed, which cost most where there are millions.
 */
export class AskedIds {
  readonly #texts: Answers["texts"];
  /** The answers beyond those that came in order; undefined once an id was out of order. */
  #inOrder: Iterator<[string, string]> | undefined;
  #next: [string, string] | undefined;
  #count = 0;
  /** All ids so far, once one was out of order. */
  #seen = new Set<string>();

  constructor(texts: Answers["texts"]) {
    this.#texts = texts;
    this.#inOrder = texts.entries();
    this.#next = this.#inOrder.next().value;
  }

  /** The answer to the next question, if it has one; "twice" in place of it for an id that was there before. */
  take(id: string): { readonly text: string | undefined } | "twice" {
    if (this.#inOrder && this.#next?.[0] === id) {
      const text = this.#next[1];
      this.#next = this.#inOrder.next().value;
      this.#count++;
      return { text };
    }
    this.#leaveOrder();
    if (this.#seen.has(id)) return "twice";
    this.#seen.add(id);
    return { text: this.#texts.get(id) };
  }

  has(id: string): boolean {
    this.#leaveOrder();
    return this.#seen.has(id);
  }

  #leaveOrder(): void {
    if (!this.#inOrder) return;
    this.#inOrder = undefined;
    for (const id of this.#texts.keys()) {
      if (this.#seen.size === this.#count) return;
      this.#seen.add(id);
    }
  }
}
