import type { LoadedRows, LoadRequest, RowLoader } from "./row-loader.ts";

/** Loads what will be asked for ahead of that, where other threads do the work. */
export class Prefetcher<Key> {
  readonly #loader: RowLoader;
  readonly #requestOf: (key: Key) => LoadRequest;
  readonly #begun = new Map<Key, Promise<LoadedRows>>();

  constructor(loader: RowLoader, requestOf: (key: Key) => LoadRequest) {
    this.#loader = loader;
    this.#requestOf = requestOf;
  }

  /** What goes wrong is told when the result is asked for. */
  begin(keys: readonly Key[]): void {
    if (!this.#loader.isBackground) return;
    for (const key of keys) {
      if (this.#begun.has(key)) continue;
      const loading = this.#loader.load(this.#requestOf(key));
      loading.catch(() => {});
      this.#begun.set(key, loading);
    }
  }

  /** What was begun, once; otherwise loaded now. */
  take(key: Key): Promise<LoadedRows> {
    const begun = this.#begun.get(key);
    this.#begun.delete(key);
    return begun ?? this.#loader.load(this.#requestOf(key));
  }

  /** What was begun is not asked for any more. */
  forget(): void {
    this.#begun.clear();
  }
}
