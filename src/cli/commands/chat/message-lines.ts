const fence = '"""';

/** A message that was typed; a fenced one is no command, whatever it begins with. */
export interface TypedMessage {
  readonly text: string;
  readonly isFenced: boolean;
}

/** Puts lines together: one that ends in a backslash goes on in the next, and what stands between `"""` is one message. */
export class MessageLines {
  #lines: string[] = [];
  #isFenced = false;

  /** Whether more lines belong to the message that was begun. */
  get isOpen(): boolean {
    return this.#isFenced || this.#lines.length > 0;
  }

  /** The message that a line completes. */
  take(line: string): TypedMessage | undefined {
    if (!this.isOpen && line.trimStart().startsWith(fence)) {
      this.#isFenced = true;
      const rest = line.trimStart().slice(fence.length);
      return rest === "" ? undefined : this.take(rest);
    }
    if (this.#isFenced) {
      const isLast = line.trimEnd().endsWith(fence);
      const content = isLast ? line.trimEnd().slice(0, -fence.length) : line;
      if (!isLast || content !== "") this.#lines.push(content);
      return isLast ? this.finish() : undefined;
    }
    const goesOn = /(?<!\\)(?:\\\\)*\\$/.test(line);
    this.#lines.push(goesOn ? line.slice(0, -1) : line);
    return goesOn ? undefined : this.finish();
  }

  /** What was begun, complete or not. */
  finish(): TypedMessage | undefined {
    if (!this.isOpen) return undefined;
    const message = { text: this.#lines.join("\n"), isFenced: this.#isFenced };
    this.cancel();
    return message;
  }

  cancel(): void {
    this.#lines = [];
    this.#isFenced = false;
  }
}
