import { letters } from "../prompting/index.ts";

/**
 * The letter that an answer gives as "B", as "B. …" or once as "The answer is B."; undefined otherwise.
 * LLaVA's rule for ScienceQA, where letters go to E.
 */
export function statedLetter(answer: string, last = "E"): string | undefined {
  const allowed = letters.slice(0, letters.indexOf(last) + 1);
  if (allowed.includes(answer)) return answer;
  if (allowed.includes(answer.charAt(0)) && answer.startsWith(". ", 1)) return answer.charAt(0);
  // The point is any character, as in the original, so that "The answer is B" without an end is not read.
  const stated = [...answer.matchAll(/The answer is ([A-Z])./g)];
  return stated.length === 1 ? stated[0]![1] : undefined;
}

/** The capital letter that an answer begins with, before a point: " B. because" (AI2D). */
export const leadingLetter = (answer: string): string | undefined => /^\s*([A-Z])\./.exec(answer)?.[1];
