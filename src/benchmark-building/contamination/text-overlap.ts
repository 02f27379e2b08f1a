import { runsOf, wordsOf } from "../text.ts";

const mostRows = 10;

/** A question and a row that have words in common. */
export interface TextOverlap {
  readonly item: string;
  readonly row: string;
  /** What they share. */
  readonly words: string;
}

/**
 * Which questions stand in training texts: by a run of 13 words in common; of questions of 8 to 12 words a run of 8, and shorter
 * ones as a whole turn. What more than ten rows have is a phrase that everybody uses, and does not count.
 */
export class TextIndex {
  readonly #runs: Entries = new Map();
  readonly #whole: Entries = new Map();
  readonly #lengths: readonly number[];

  constructor(items: readonly { readonly id: string; readonly question: string }[]) {
    const lengths = new Set<number>();
    for (const { id, question } of items) {
      const words = wordsOf(question);
      const length = words.length >= 13 ? 13 : words.length >= 8 ? 8 : 0;
      if (length > 0) lengths.add(length);
      for (const run of new Set(runsOf(words, length > 0 ? length : words.length)))
        entryOf(length > 0 ? this.#runs : this.#whole, run).items.push(id);
    }
    this.#lengths = [...lengths];
  }

  /** Looks at the turns of a row. */
  add(row: string, turns: readonly string[]): void {
    const found = new Set<string>();
    for (const turn of turns) {
      const words = wordsOf(turn);
      for (const length of this.#lengths) for (const run of runsOf(words, length)) found.add(run);
      note(this.#whole.get(words.join(" ")), row);
    }
    for (const run of found) note(this.#runs.get(run), row);
  }

  overlaps(): TextOverlap[] {
    const seen = new Set<string>();
    const rare = [...this.#runs, ...this.#whole].filter(([, { count }]) => count <= mostRows);
    return rare.flatMap(([words, { items, rows }]) =>
      items.flatMap((item) =>
        rows.flatMap((row) => {
          const pair = `${item} ${row}`;
          if (seen.has(pair)) return [];
          seen.add(pair);
          return [{ item, row, words }];
        }),
      ),
    );
  }
}

type Entries = Map<string, { readonly items: string[]; readonly rows: string[]; count: number }>;

function entryOf(entries: Entries, words: string) {
  const known = entries.get(words) ?? { items: [], rows: [], count: 0 };
  entries.set(words, known);
  return known;
}

/** Of rows that share a run ten are enough to name. */
function note(entry: { readonly rows: string[]; count: number } | undefined, row: string): void {
  if (entry === undefined) return;
  entry.count++;
  if (entry.rows.length < mostRows && entry.rows.at(-1) !== row) entry.rows.push(row);
}
