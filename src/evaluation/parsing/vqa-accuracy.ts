import { normalizeEvalAiAnswer, normalizeVqaAnswer, onOneLine } from "./vqa-normalizer.ts";

/**
 * Credit for an answer that `matches` of `people` gave: each person in turn is left out, three of the others suffice.
 * VQA: Visual Question Answering, section 3 and its evaluation code.
 */
const consensus = (matches: number, people: number): number =>
  (matches * Math.min(1, (matches - 1) / 3) + (people - matches) * Math.min(1, matches / 3)) / people;

const countEqual = (answers: readonly string[], answer: string): number =>
  answers.reduce((count, other) => count + (other === answer ? 1 : 0), 0);

/** Credit from 0 to 1 by EvalAI's normaliser on both sides (TextVQA). */
export function textVqaCredit(answer: string, references: readonly string[]): number {
  const normalized = normalizeEvalAiAnswer(answer);
  let matches = 0;
  for (const reference of references) if (normalizeEvalAiAnswer(reference) === normalized) matches++;
  return matches === 0 ? 0 : consensus(matches, references.length);
}

/** Credit from 0 to 1 as the VQA v2 server gives it, which normalises only where people disagree. */
export function vqaCredit(answer: string, references: readonly string[]): number {
  const written = references.map(onOneLine);
  const agree = written.every((reference) => reference === written[0]);
  const matches = agree
    ? countEqual(written, onOneLine(answer))
    : countEqual(written.map(normalizeVqaAnswer), normalizeVqaAnswer(answer));
  return matches === 0 ? 0 : consensus(matches, references.length);
}
