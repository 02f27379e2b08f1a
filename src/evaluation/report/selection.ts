import type { OutcomeRow } from "../results/result.ts";

/** Keeps the `limit` entries that `order` puts first, of any number seen. */
export class Shortlist<Entry> {
  readonly #entries: Entry[] = [];
  readonly #limit: number;
  readonly #order: (a: Entry, b: Entry) => number;

  constructor(limit: number, order: (a: Entry, b: Entry) => number) {
    this.#limit = limit;
    this.#order = order;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    if (this.#entries.length >= 2 * this.#limit + 64) this.#cut();
  }

  take(): readonly Entry[] {
    this.#cut();
    return this.#entries;
  }

  #cut(): void {
    this.#entries.sort(this.#order).splice(this.#limit);
  }
}

/** Least credit first; among equals an order that mixes the file, so that a few examples come from all over it. */
export const worstFirst = (a: OutcomeRow, b: OutcomeRow): number =>
  a.credit - b.credit || scattered(a.id) - scattered(b.id);

/** FNV-1a: the same for the same id in every report, so that reports of two models show the same questions. */
export function scattered(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index++) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
