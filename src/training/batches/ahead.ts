/** Work that is begun before its result is asked for. */
export class Ahead<Key, Made> {
  readonly #begun = new Map<Key, Promise<Made>>();

  /** What goes wrong is told when the result is asked for. */
  begin(key: Key, make: () => Promise<Made>): void {
    if (this.#begun.has(key)) return;
    const made = make();
    made.catch(() => {});
    this.#begun.set(key, made);
  }

  /** What was begun, once; otherwise made now. */
  take(key: Key, make: () => Promise<Made>): Promise<Made> {
    const made = this.#begun.get(key);
    this.#begun.delete(key);
    return made ?? make();
  }
}
