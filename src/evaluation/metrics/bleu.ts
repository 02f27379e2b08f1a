import { countNGrams } from "./n-grams.ts";
import type { ScoredCaption } from "./scored-caption.ts";

type Four = readonly [number, number, number, number];

/** What a caption adds to the sums that corpus BLEU is made of. */
export interface BleuCounts {
  /** n-grams (n = 1…4) that a reference has too, each at most as often as there. */
  readonly matched: Four;
  readonly possible: Four;
  /** Tokens of the caption, and of the reference nearest in length, the shorter one of two equally near. */
  readonly predictedLength: number;
  readonly referenceLength: number;
}

export function bleuCounts({ prediction, references }: ScoredCaption): BleuCounts {
  const matched: [number, number, number, number] = [0, 0, 0, 0];
  const possible: [number, number, number, number] = [0, 0, 0, 0];
  const allowed = references.map((tokens) => countNGrams(tokens, 4));
  countNGrams(prediction, 4).forEach((counts, index) => {
    for (const [key, count] of counts) {
      possible[index]! += count;
      matched[index]! += Math.min(
        count,
        Math.max(...allowed.map((reference) => reference[index]!.get(key) ?? 0)),
      );
    }
  });
  const referenceLength = nearestLength(prediction.length, references);
  return { matched, possible, predictedLength: prediction.length, referenceLength };
}

/**
 * Corpus BLEU-1…BLEU-4, each in 0…1: the geometric mean of clipped n-gram precisions over the corpus, with the brevity
 * penalty against the reference nearest in length.
 * Papineni et al. 2002, "BLEU: a Method for Automatic Evaluation of Machine Translation".
 */
export function bleuOf(corpus: Iterable<BleuCounts>): Four {
  const matched = [0, 0, 0, 0];
  const possible = [0, 0, 0, 0];
  let predictedLength = 0;
  let referenceLength = 0;
  for (const counts of corpus) {
    for (let index = 0; index < 4; index++) {
      matched[index]! += counts.matched[index]!;
      possible[index]! += counts.possible[index]!;
    }
    predictedLength += counts.predictedLength;
    referenceLength += counts.referenceLength;
  }
  const brevity = predictedLength === 0 ? 0 : Math.min(1, Math.exp(1 - referenceLength / predictedLength));
  let product = 1;
  const scores = matched.map((count, index) => {
    product *= possible[index] === 0 ? 0 : count / possible[index]!;
    return brevity * product ** (1 / (index + 1));
  });
  return [scores[0]!, scores[1]!, scores[2]!, scores[3]!];
}

function nearestLength(length: number, references: ScoredCaption["references"]): number {
  const lengths = references.map((tokens) => tokens.length).sort((first, second) => first - second);
  return lengths.reduce((best, other) => (Math.abs(other - length) < Math.abs(best - length) ? other : best));
}
