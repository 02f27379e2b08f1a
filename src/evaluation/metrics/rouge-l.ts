import type { ScoredCaption } from "./scored-caption.ts";

/**
 * ROUGE-L of one caption in 0…1 as the COCO evaluation has it: the F-measure (β = 1.2) of the longest common subsequence,
 * with the best precision and the best recall over the references; a corpus's is the mean of its captions'.
 * Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries", section 3.
 */
export function rougeLOf({ prediction, references }: ScoredCaption): number {
  const common = references.map((reference) => commonSubsequenceLength(prediction, reference));
  const precision = Math.max(...common.map((length) => ratio(length, prediction.length)));
  const recall = Math.max(...common.map((length, index) => ratio(length, references[index]!.length)));
  if (precision === 0 || recall === 0) return 0;
  return ((1 + beta ** 2) * precision * recall) / (recall + beta ** 2 * precision);
}

const beta = 1.2;

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

function commonSubsequenceLength(first: readonly string[], second: readonly string[]): number {
  let previous = new Array<number>(second.length + 1).fill(0);
  for (const token of first) {
    const current = [0];
    for (const [index, other] of second.entries()) {
      current.push(token === other ? previous[index]! + 1 : Math.max(previous[index + 1]!, current[index]!));
    }
    previous = current;
  }
  return previous.at(-1)!;
}
