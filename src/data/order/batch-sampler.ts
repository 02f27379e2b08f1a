import type { LlavaRow } from "../../protocol/index.ts";

/** Rows that share their image's tokens where they can, and how the image is seen. */
export interface RowGroup {
  readonly rows: readonly LlavaRow[];
  readonly mirrored: boolean;
}

/** Which of several processes that train together this one is. */
export interface Rank {
  readonly rank: number;
  readonly ranks: number;
}

/** Deals the rows of step after step; what each gets depends on the seed and the place alone. */
export interface RowDealer<State = unknown> {
  /** Steps in which every row is dealt once; not a whole number, since steps reach into the next epoch. */
  readonly stepsPerEpoch: number;
  /** Where the dealer is; setting it goes on from there. */
  state: State;
  /** This rank's part of the next step. */
  deal(): Promise<RowGroup[]>;
}

/** Deals the items of a whole step, of which a rank takes every `ranks`-th. */
export const partOf = <T>(step: readonly T[], { rank, ranks }: Rank): T[] =>
  step.filter((_, place) => place % ranks === rank);
