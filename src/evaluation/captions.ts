import { LlavaError } from "../errors.ts";
import {
  CaptionCorpus,
  captionMetrics,
  captionOutcome,
  captionTokens,
  ciderOf,
  mean,
  plainCider,
} from "./metrics/index.ts";

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
  const described = [...predictions.keys()].map((id) => {
    const captions = references.get(id) ?? [];
    if (captions.length === 0)
      throw new LlavaError("data", `Image "${id}" has a prediction but no reference caption.`);
    return { id, captions };
  });
  const corpus = new CaptionCorpus(described, undefined);
  const outcomes = described.map((image) => captionOutcome({ ...image, corpus }, predictions.get(image.id)!));
  const shares = new Map(captionMetrics(outcomes).map(({ name, value }) => [name, value / 100]));
  const share = (name: string): number => shares.get(name)!;
  const plain = described.map(({ id, captions }) => {
    const caption = {
      prediction: captionTokens(predictions.get(id)!),
      references: captions.map(captionTokens),
    };
    return ciderOf(caption, corpus.frequencies, plainCider);
  });
  return {
    images: described.length,
    unanswered: [...references.keys()].filter((id) => !predictions.has(id)),
    scores: {
      cider: share("cider"),
      ciderPlain: mean(plain),
      bleu1: share("bleu-1"),
      bleu2: share("bleu-2"),
      bleu3: share("bleu-3"),
      bleu4: share("bleu-4"),
      rougeL: share("rouge-l"),
    },
    items: outcomes.map(({ id, values }) => ({
      id,
      prediction: predictions.get(id)!,
      cider: values!["cider"]!,
      rougeL: values!["rougeL"]!,
    })),
  };
}
