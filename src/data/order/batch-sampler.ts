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

/** The items of a whole step that a rank takes: every `ranks`-th. */
export const partOf = <T>(step: readonly T[], { rank, ranks }: Rank): T[] =>
  step.filter((_, place) => place % ranks === rank);
