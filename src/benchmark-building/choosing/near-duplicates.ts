import type { PoolItem } from "../intake/item.ts";
import type { Alike } from "../likeness/index.ts";
import { sharedRuns, wordsOf } from "../text.ts";

export interface DuplicateLimits {
  /** The least cosine of the embeddings of two questions about one image that makes them one. */
  readonly texts: number;
  /** The least share of runs of five words that they have in common (Jaccard). */
  readonly runs: number;
}

export const usualDuplicates: DuplicateLimits = { texts: 0.9, runs: 0.8 };

export interface DuplicateGroup {
  readonly kept: string;
  readonly dropped: readonly string[];
}

/**
 * Groups of items that ask the same of the same image: images that are alike, and texts that are. Of each the one with most
 * pixels stays, then that of the smallest id. Another question about an image is no duplicate.
 */
export function duplicateGroups(
  items: readonly PoolItem[],
  alike: readonly Alike[],
  texts: readonly Float32Array[],
  limits: DuplicateLimits = usualDuplicates,
): DuplicateGroup[] {
  const words = items.map(({ question }) => wordsOf(question));
  const groups = new Groups(items.length);
  const byPixels = new Map<string, number[]>();
  for (const [place, { pixels }] of items.entries())
    byPixels.set(pixels, [...(byPixels.get(pixels) ?? []), place]);
  const pairs = [
    ...alike.map(({ of, with: other }) => [of, other] as const),
    ...[...byPixels.values()].flatMap((places) =>
      places.flatMap((one, at) => places.slice(at + 1).map((other) => [one, other] as const)),
    ),
  ];
  for (const [one, other] of pairs) {
    const isSame =
      cosine(texts[one]!, texts[other]!) >= limits.texts ||
      sharedRuns(words[one]!, words[other]!) >= limits.runs;
    if (isSame) groups.join(one, other);
  }
  return groups.several().map((places) => {
    const [kept, ...dropped] = places
      .map((place) => items[place]!)
      .sort((a, b) => b.width * b.height - a.width * a.height || (a.id < b.id ? -1 : 1));
    return { kept: kept!.id, dropped: dropped.map(({ id }) => id) };
  });
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [at, value] of a.entries()) sum += value * b[at]!;
  return sum;
}

/** Which of a number of things belong together. */
class Groups {
  readonly #parents: Int32Array;

  constructor(count: number) {
    this.#parents = Int32Array.from({ length: count }, (_, place) => place);
  }

  join(one: number, other: number): void {
    const [a, b] = [this.#root(one), this.#root(other)];
    this.#parents[Math.max(a, b)] = Math.min(a, b);
  }

  /** Those of more than one. */
  several(): number[][] {
    const groups = Map.groupBy(this.#parents.keys(), (place) => this.#root(place));
    return [...groups.values()].filter(({ length }) => length > 1);
  }

  #root(place: number): number {
    let root = place;
    while (this.#parents[root] !== root) root = this.#parents[root]!;
    while (this.#parents[place] !== root) {
      const next = this.#parents[place]!;
      this.#parents[place] = root;
      place = next;
    }
    return root;
  }
}
