import type { RowBatch } from "../../batches/row-batch.ts";

/** Pairs packed side by side, each pair's two answers behind their one prompt. Its units are pairs. */
export interface PairBatch extends RowBatch {
  /** Trained tokens of the answers: chosen and rejected of the first pair, and so on. */
  readonly lengths: readonly number[];
  /** Pairs of the whole step by trained tokens of their chosen answers: what a token's likelihood counts beside a pair. */
  readonly pairsPerChosenToken: number;
  /** Log probabilities of the reference, in the order of `lengths`, where they are known beforehand. */
  readonly reference: readonly number[] | undefined;
}

/** The same pairs with what is told of them apart. */
export function pairBatch(
  batch: RowBatch,
  pairsPerChosenToken: number,
  reference?: readonly number[],
): PairBatch {
  const lengths = batch.samples.map(() => 0);
  for (const owner of batch.owners) lengths[owner]!++;
  const units = batch.samples.length / 2;
  return { ...batch, units, lengths, pairsPerChosenToken, reference };
}

/** Trained tokens of a batch's chosen answers. */
export const chosenTokens = ({ owners }: Pick<RowBatch, "owners">): number =>
  owners.reduce((sum, owner) => sum + ((owner + 1) % 2), 0);

/**
 * What each target counts for the sum of each answer, [answers · targets]: 1 where it is the answer's own, `tailWeight` from
 * where the other answer of the pair has ended, otherwise 0.
 */
export function answerWeights(
  { lengths, owners }: PairBatch,
  targets: number,
  tailWeight: number,
): Float32Array {
  const weights = new Float32Array(lengths.length * targets);
  const seen = lengths.map(() => 0);
  for (const [at, owner] of owners.entries()) {
    const common = Math.min(lengths[owner]!, lengths[owner ^ 1]!);
    weights[owner * targets + at] = seen[owner]!++ < common ? 1 : tailWeight;
  }
  return weights;
}
