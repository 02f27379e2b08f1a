import { countNGrams } from "./n-grams.ts";
import { mean, type ScoredCaption } from "./scored-caption.ts";

export interface CiderOptions {
  /** Width in tokens of the Gaussian length penalty; 6 by default, `undefined` leaves it out. */
  readonly lengthSigma?: number | undefined;
  /** Count a repeated n-gram no more often than the reference has it; true by default. */
  readonly clip?: boolean;
}

/** Plain CIDEr: the cosine alone, without length penalty and clipping. */
export const plainCider: CiderOptions = { lengthSigma: undefined, clip: false };

/**
 * CIDEr-D of one caption, times ten, as the COCO evaluation reports it: the cosine of tf-idf weighted n-grams (n = 1…4)
 * between a prediction and each reference, averaged over references and n. An n-gram's document frequency is the number of
 * images whose references hold it, so a score depends on the whole corpus and is 0 for a corpus of one image; the score of
 * a corpus is the mean of its captions'.
 * Vedantam et al. 2015, "CIDEr: Consensus-based Image Description Evaluation", sections 4 and 6.
 */
export function ciderOf(
  { prediction, references }: ScoredCaption,
  frequencies: DocumentFrequencies,
  options: CiderOptions = {},
): number {
  const { lengthSigma, clip } = { lengthSigma: 6, clip: true, ...options };
  const predicted = frequencies.weigh(prediction);
  const similarities = references.map((reference) => {
    const penalty =
      lengthSigma === undefined
        ? 1
        : Math.exp(-(bigramDifference(prediction, reference) ** 2) / (2 * lengthSigma ** 2));
    const wanted = frequencies.weigh(reference);
    return penalty * mean(predicted.map((vector, index) => cosine(vector, wanted[index]!, clip)));
  });
  return 10 * mean(similarities);
}

const longestNGram = 4;

type WeightedNGrams = ReadonlyMap<string, number>;

/** In how many images' references each n-gram stands. */
export class DocumentFrequencies {
  readonly #documents = new Map<string, number>();
  #images = 0;

  /** The tokens of each image's references. */
  constructor(corpus: Iterable<ScoredCaption["references"]>) {
    for (const references of corpus) {
      this.#images++;
      const seen = new Set(
        references.flatMap((tokens) =>
          countNGrams(tokens, longestNGram).flatMap((counts) => [...counts.keys()]),
        ),
      );
      for (const key of seen) this.#documents.set(key, (this.#documents.get(key) ?? 0) + 1);
    }
  }

  /** One tf-idf vector for each n-gram length. */
  weigh(tokens: readonly string[]): WeightedNGrams[] {
    return countNGrams(tokens, longestNGram).map((counts) => {
      const weights = new Map<string, number>();
      for (const [key, count] of counts)
        weights.set(key, count * Math.log(this.#images / (this.#documents.get(key) ?? 1)));
      return weights;
    });
  }
}

function cosine(predicted: WeightedNGrams, wanted: WeightedNGrams, clip: boolean): number {
  let product = 0;
  for (const [key, weight] of predicted) {
    const other = wanted.get(key) ?? 0;
    product += (clip ? Math.min(weight, other) : weight) * other;
  }
  const norms = norm(predicted) * norm(wanted);
  return norms === 0 ? 0 : product / norms;
}

function norm(weights: WeightedNGrams): number {
  return Math.sqrt(weights.values().reduce((sum, weight) => sum + weight ** 2, 0));
}

/** The COCO evaluation measures length in bigrams, so captions of no and of one word are equally long. */
function bigramDifference(first: readonly string[], second: readonly string[]): number {
  return Math.max(first.length - 1, 0) - Math.max(second.length - 1, 0);
}
