import { LlavaError } from "../errors.ts";
import { bleu, captionTokens, cider, plainCider, rougeL } from "./metrics/index.ts";

export interface CaptionScores {
  /** CIDEr-D; 1.0 is what papers print as 100. Depends on which images are in the corpus. */
  readonly cider: number;
  readonly ciderPlain: number;
  readonly bleu1: number;
  readonly bleu2: number;
  readonly bleu3: number;
  readonly bleu4: number;
  readonly rougeL: number;
}

/** Ready for JSON: plain values only. */
export interface CaptionReport {
  readonly images: number;
  /** Ids that have references but no prediction; they are left out of every score. */
  readonly unanswered: readonly string[];
  readonly scores: CaptionScores;
  readonly items: readonly { id: string; prediction: string; cider: number; rougeL: number }[];
}

/**
 * Scores one predicted caption per image id against the captions people wrote for it.
 * @throws {LlavaError} `data` if nothing was predicted, or an image has a prediction but no reference.
 */
export function evaluateCaptions(
  predictions: ReadonlyMap<string, string>,
  references: ReadonlyMap<string, readonly string[]>,
): CaptionReport {
  if (predictions.size === 0) throw new LlavaError("data", "There are no predicted captions to score.");
  const captions = [...predictions].map(([id, prediction]) => {
    const written = references.get(id) ?? [];
    if (written.length === 0)
      throw new LlavaError("data", `Image "${id}" has a prediction but no reference caption.`);
    return { prediction: captionTokens(prediction), references: written.map(captionTokens) };
  });
  const consensus = cider(captions);
  const subsequence = rougeL(captions);
  const [bleu1, bleu2, bleu3, bleu4] = bleu(captions);
  return {
    images: captions.length,
    unanswered: [...references.keys()].filter((id) => !predictions.has(id)),
    scores: {
      cider: consensus.score,
      ciderPlain: cider(captions, plainCider).score,
      bleu1,
      bleu2,
      bleu3,
      bleu4,
      rougeL: subsequence.score,
    },
    items: [...predictions].map(([id, prediction], index) => ({
      id,
      prediction,
      cider: consensus.perItem[index]!,
      rougeL: subsequence.perItem[index]!,
    })),
  };
}
