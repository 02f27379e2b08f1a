/** Lets a number of holders in at once; others wait in the order in which they came. */
export class Slots {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(count: number) {
    this.#free = count;
  }

  /** A slot, which disposing gives back; at once, and none, after an abort. */
  async take(signal?: AbortSignal): Promise<Disposable> {
    if (signal?.aborted) return none;
    if (this.#free > 0) this.#free--;
    else if (!(await this.#wait(signal))) return none;
    let isHeld = true;
    return {
      [Symbol.dispose]: () => {
        if (isHeld) this.#giveBack();
        isHeld = false;
      },
    };
  }

  /** Whether a slot came before an abort. */
  #wait(signal?: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve(true);
      };
      const leave = (): void => {
        this.#waiting.delete(enter);
        resolve(false);
      };
      signal?.addEventListener("abort", leave, { once: true });
      this.#waiting.add(enter);
    });
  }

  #giveBack(): void {
    const [next] = this.#waiting;
    if (next === undefined) return void this.#free++;
    this.#waiting.delete(next);
    next();
  }
}

const none: Disposable = { [Symbol.dispose]() {} };
