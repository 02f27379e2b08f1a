import type { PageStore } from "../../nn/index.ts";

/**
 * Pages of keys and values by what they were computed of. A page that somebody uses stays; one that nobody does any more is
 * kept under its name until its memory is needed, the longest unused first.
 */
export class PageCache {
  readonly #store: PageStore;
  readonly #named = new Map<string, number>();
  readonly #names = new Map<number, string>();
  readonly #users = new Map<number, number>();
  /** Named pages without users, in the order of their last use. */
  readonly #idle = new Set<number>();

  /** Whether pages have names: without one a page goes when nobody uses it. */
  readonly isKept: boolean;

  constructor(store: PageStore, isKept: boolean) {
    this.#store = store;
    this.isKept = isKept;
  }

  /** Pages in use. */
  get used(): number {
    return this.#users.size;
  }

  get idle(): number {
    return this.#idle.size;
  }

  /** A page without a name. */
  take(): number {
    const page = this.#store.take();
    this.#users.set(page, 1);
    return page;
  }

  /** The page under a name, which then has one more user. */
  share(name: string): number | undefined {
    const page = this.#named.get(name);
    if (page === undefined) return undefined;
    this.#users.set(page, (this.#users.get(page) ?? 0) + 1);
    this.#idle.delete(page);
    return page;
  }

  /** Names a page that is full; the first of a name keeps it. */
  name(page: number, name: string): void {
    if (this.#named.has(name) || this.#names.has(page)) return;
    this.#named.set(name, page);
    this.#names.set(page, name);
  }

  /** One user less of each; the last pages of a sequence go before those that they follow. */
  release(pages: readonly number[]): void {
    for (const page of pages.toReversed()) {
      const left = this.#users.get(page)! - 1;
      if (left > 0) {
        this.#users.set(page, left);
        continue;
      }
      this.#users.delete(page);
      if (this.#names.has(page)) this.#idle.add(page);
      else this.#store.give(page);
    }
  }

  /** Forgets the page that is longest unused; false if there is none. */
  evict(): boolean {
    const [page] = this.#idle;
    if (page === undefined) return false;
    this.#idle.delete(page);
    this.#named.delete(this.#names.get(page)!);
    this.#names.delete(page);
    this.#store.give(page);
    return true;
  }
}
