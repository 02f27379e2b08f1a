import type { LlavaRow } from "../../protocol/index.ts";

/** Rows that share their image's tokens where they can, and how the image is seen. */
export interface RowGroup {
  readonly rows: readonly LlavaRow[];
  readonly mirrored: boolean;
  /** Whether they are the two sides of a pair, of which neither is of use without the other. */
  readonly isPair?: true;
}

/** Which of several processes that train together this one is. */
export interface Rank {
  readonly rank: number;
  readonly ranks: number;
}

/** Draws the rows of step after step; what each gets depends on the seed and the place alone. */
export interface BatchSampler<State = unknown> {
  /** Steps in which every row is drawn once; not a whole number, since steps reach into the next epoch. */
  readonly stepsPerEpoch: number;
  /** Where the sampler is; setting it goes on from there. */
  state: State;
  /** This rank's part of the next step. */
  next(): Promise<RowGroup[]>;
}

/**
 * The items of a whole step that a rank takes, in their order: the longest goes first, to the rank whose sum is smallest of
 * those that have room, so that all have about equally much to do. Without lengths every `ranks`-th.
 */
export function partOf<T>(step: readonly T[], { rank, ranks }: Rank, lengthOf?: (item: T) => number): T[] {
  if (lengthOf === undefined) return step.filter((_, place) => place % ranks === rank);
  const room = Math.ceil(step.length / ranks);
  const shares = Array.from({ length: ranks }, () => ({ items: new Set<T>(), sum: 0 }));
  for (const item of step.toSorted((a, b) => lengthOf(b) - lengthOf(a))) {
    const open = shares.filter(({ items }) => items.size < room);
    const share = open.reduce((best, other) =>
      (other.sum - best.sum || other.items.size - best.items.size) < 0 ? other : best,
    );
    share.items.add(item);
    share.sum += lengthOf(item);
  }
  return step.filter((item) => shares[rank]!.items.has(item));
}
