import type { KeyValueCache } from "./cache.ts";

/** A row of a cache, lent until it is given back. */
export interface CacheRow {
  readonly cache: KeyValueCache;
  readonly row: number;
}

/** What is asked of a pool: so many rows side by side, each with room for so many positions. */
export interface RowsWanted {
  readonly rows: number;
  readonly capacity: number;
}

/** A cache that lies idle in part. */
interface Block {
  readonly cache: KeyValueCache;
  readonly free: Set<number>;
}

/**
 * Lends rows of caches. Rows that are asked for together and need about as much room lie in one cache, where rows of like
 * lengths attend together; a cache's memory goes when its last row comes back, and a row that is free goes to the next who
 * needs about as much.
 */
export class KeyValuePool implements Disposable {
  readonly #newCache: (size: { batch: number; capacity: number }) => KeyValueCache;
  readonly #blocks: Block[] = [];

  constructor(newCache: (size: { batch: number; capacity: number }) => KeyValueCache) {
    this.#newCache = newCache;
  }

  /** Positions that all its caches have room for. */
  get capacity(): number {
    return this.#blocks.reduce((sum, { cache }) => sum + cache.capacity * cache.lengths.length, 0);
  }

  /** The rows that are wanted, in the order that they are wanted in; none if there is no memory for some. */
  take(wanted: readonly RowsWanted[]): CacheRow[][] {
    const taken = wanted.map((want) => this.#free(want));
    const open = [...wanted.keys()]
      .filter((index) => taken[index] === undefined)
      .sort((one, other) => wanted[other]!.capacity - wanted[one]!.capacity);
    while (open.length > 0) {
      const { capacity } = wanted[open[0]!]!;
      const alike = open.filter((index) => wanted[index]!.capacity >= capacity * LIKE);
      open.splice(0, alike.length);
      const batch = alike.reduce((sum, index) => sum + wanted[index]!.rows, 0);
      const cache = this.#allocate({ batch, capacity }, taken);
      this.#blocks.push({ cache, free: new Set() });
      let row = 0;
      for (const index of alike)
        taken[index] = Array.from({ length: wanted[index]!.rows }, () => ({ cache, row: row++ }));
    }
    return taken.map((rows) => rows!);
  }

  #allocate(
    size: { batch: number; capacity: number },
    taken: readonly (CacheRow[] | undefined)[],
  ): KeyValueCache {
    try {
      return this.#newCache(size);
    } catch (error) {
      for (const row of taken.flatMap((rows) => rows ?? [])) this.give(row);
      throw error;
    }
  }

  give({ cache, row }: CacheRow): void {
    const at = this.#blocks.findIndex((block) => block.cache === cache);
    const { free } = this.#blocks[at]!;
    cache.clear(row);
    free.add(row);
    if (free.size < cache.lengths.length) return;
    this.#blocks.splice(at, 1);
    cache[Symbol.dispose]();
  }

  /** Rows as those of their caches lie, so that neighbours follow each other. */
  inOrder<R extends CacheRow>(rows: readonly R[]): R[] {
    const place = new Map(this.#blocks.map(({ cache }, index) => [cache, index]));
    return rows.toSorted(
      (one, other) => place.get(one.cache)! - place.get(other.cache)! || one.row - other.row,
    );
  }

  /** Free rows side by side with enough room, and not with far too much. */
  #free({ rows, capacity }: RowsWanted): CacheRow[] | undefined {
    for (const { cache, free } of this.#blocks) {
      if (cache.capacity < capacity || cache.capacity * LIKE > capacity) continue;
      const found = [...free].find((row) =>
        Array.from({ length: rows }, (_, i) => row + i).every((r) => free.has(r)),
      );
      if (found === undefined) continue;
      return Array.from({ length: rows }, (_, i) => {
        free.delete(found + i);
        return { cache, row: found + i };
      });
    }
    return undefined;
  }

  [Symbol.dispose](): void {
    for (const { cache } of this.#blocks.splice(0)) cache[Symbol.dispose]();
  }
}

/** Rows share a cache if the smallest needs at least this share of its room. */
const LIKE = 0.75;
