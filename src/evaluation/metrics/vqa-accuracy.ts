import { normalizeEvalAiAnswer, normalizeVqaAnswer, onOneLine } from "../parsing/vqa-normalizer.ts";

/**
 * Credit for an answer that `matches` of `people` gave: each person in turn is left out, three of the others suffice.
 * VQA: Visual Question Answering, section 3 and its evaluation code.
 */
const consensus = (matches: number, people: number): number =>
  (matches * Math.min(1, (matches - 1) / 3) + (people - matches) * Math.min(1, matches / 3)) / people;

/** How many of `references` are `answer`, both after `normalize`. */
function countEqual(answer: string, references: readonly string[], normalize: (text: string) => string) {
  const normalized = normalize(answer);
  let count = 0;
  for (const reference of references) if (normalize(reference) === normalized) count++;
  return count;
}

/** Credit from 0 to 1 by EvalAI's normaliser on both sides (TextVQA). */
export function textVqaCredit(answer: string, references: readonly string[]): number {
  const matches = countEqual(answer, references, normalizeEvalAiAnswer);
  return matches === 0 ? 0 : consensus(matches, references.length);
}

/** Credit from 0 to 1 as the VQA v2 server gives it, which normalises only where people disagree. */
export function vqaCredit(answer: string, references: readonly string[]): number {
  const first = onOneLine(references[0] ?? "");
  const agree = references.every((reference) => onOneLine(reference) === first);
  // What is on one line stays as it is there, so that the normaliser may take the answers as written.
  const matches = countEqual(answer, references, agree ? onOneLine : normalizeVqaAnswer);
  return matches === 0 ? 0 : consensus(matches, references.length);
}
