/** What comes of a request, from who makes it to who reads it. */
export class PartStream<Part> {
  readonly #parts: Part[] = [];
  #error: { readonly reason: unknown } | undefined;
  #isEnded = false;
  #wake: (() => void) | undefined;

  push(part: Part): void {
    this.#parts.push(part);
    this.#wake?.();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  fail(reason: unknown): void {
    this.#error ??= { reason };
    this.#wake?.();
  }

  async *read(): AsyncGenerator<Part, void, undefined> {
    for (;;) {
      while (this.#parts.length > 0) yield this.#parts.shift()!;
      if (this.#error !== undefined) throw this.#error.reason;
      if (this.#isEnded) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }
}
