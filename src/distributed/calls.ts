/** How many calls a rank has made to the others, and a digest of all of them. */
export interface CallsMade {
  readonly count: number;
  readonly digest: number;
}

/** Calls that are remembered: more than the ranks lie apart. */
const REMEMBERED = 4096;

/**
 * The calls that a rank makes to the others, in memory that its watch reads while the rank waits. All ranks have to make the same
 * ones: where one makes others, both may wait for ever.
 */
export class Calls {
  readonly memory: Int32Array<SharedArrayBuffer>;
  /** Seconds that were waited in them, by the main thread. */
  waited = 0;

  /** `memory`: that of the same calls in another thread. */
  constructor(memory = new Int32Array(new SharedArrayBuffer(4 * (1 + REMEMBERED)))) {
    this.memory = memory;
  }

  get made(): CallsMade {
    const count = Atomics.load(this.memory, 0);
    return { count, digest: this.#digestOf(count) };
  }

  /** FNV-1a of the calls so far and of this one's numbers. */
  add(numbers: readonly number[]): void {
    let { count, digest } = this.made;
    for (const number of numbers) digest = Math.imul(digest ^ number, 16777619) >>> 0;
    Atomics.store(this.memory, this.#placeOf(count + 1), digest);
    Atomics.store(this.memory, 0, count + 1);
  }

  /** Does what waits for other ranks. */
  waiting<T>(body: () => T): T {
    const began = performance.now();
    try {
      return body();
    } finally {
      this.waited += (performance.now() - began) / 1000;
    }
  }

  /** Whether another rank, which has made so many calls, cannot have made the same ones; false where it has made more. */
  differFrom({ count, digest }: CallsMade): boolean {
    const own = Atomics.load(this.memory, 0);
    return count <= own && count > own - REMEMBERED / 2 && this.#digestOf(count) !== digest;
  }

  #digestOf(count: number): number {
    return Atomics.load(this.memory, this.#placeOf(count)) >>> 0;
  }

  #placeOf(count: number): number {
    return 1 + (count % REMEMBERED);
  }
}
