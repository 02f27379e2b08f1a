import type { OutcomeRow } from "../results/result.ts";
import { Shortlist, scattered } from "./selection.ts";

/** A question on which two models differ by half of full marks or more. */
export interface Flip {
  readonly before: Pick<OutcomeRow, "credit" | "answer" | "parsed">;
  readonly after: OutcomeRow;
}

export interface Flips {
  /** Questions that both results hold. */
  readonly common: number;
  readonly gained: number;
  readonly lost: number;
  /** Some of each, at most the limit. */
  readonly gains: readonly Flip[];
  readonly losses: readonly Flip[];
}

/** Holds all answers of `before`, and a line of `after` at a time. */
export async function findFlips(
  before: AsyncIterable<OutcomeRow>,
  after: AsyncIterable<OutcomeRow>,
  limit: number,
): Promise<Flips> {
  const known = new Map<string, Flip["before"]>();
  for await (const { id, credit, answer, parsed } of before) known.set(id, { credit, answer, parsed });
  const largestFirst = (a: Flip, b: Flip): number =>
    changeOf(b) - changeOf(a) || scattered(a.after.id) - scattered(b.after.id);
  const [gains, losses] = [new Shortlist(limit, largestFirst), new Shortlist(limit, largestFirst)];
  let [common, gained, lost] = [0, 0, 0];
  for await (const row of after) {
    const other = known.get(row.id);
    if (!other) continue;
    common++;
    const flip = { before: other, after: row };
    if (changeOf(flip) < 0.5) continue;
    if (row.credit > other.credit) gained++;
    else lost++;
    (row.credit > other.credit ? gains : losses).add(flip);
  }
  return { common, gained, lost, gains: gains.take(), losses: losses.take() };
}

const changeOf = ({ before, after }: Flip): number => Math.abs(after.credit - before.credit);
