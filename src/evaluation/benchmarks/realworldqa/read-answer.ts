import { leadingLetter, numberWords } from "../../parsing/index.ts";

/**
 * What an answer says, lower-case: the letter of the first of the question's options whose text it contains, else its own
 * words without punctuation; a number word alone is a digit. As lmms-eval has it, which does not read the letter of
 * "B. Left" where the option's text differs in punctuation; without `compat` such a letter counts.
 */
export function readAnswer(answer: string, question: string, compat: boolean): string {
  const options = Array.from(question.matchAll(/\b[A-Z]\.\s+([^\n]*)/g), ([, text]) => text!.trim());
  const text = numberWords.get(answer.toLowerCase()) ?? answer;
  const words = text.replace(/[^\p{L}\p{M}\p{N}_\s]/gu, "").trim();
  const stated = compat || options.length === 0 ? undefined : leadingLetter(answer);
  const letter = stated ?? letterOf(words, options);
  return (letter ?? words).toLowerCase();
}

/** Of the options that the words contain, the one that stands first; of several there, the first of the list. */
function letterOf(words: string, options: readonly string[]): string | undefined {
  const places = options.map((option) => words.indexOf(option));
  const first = Math.min(...places.map((place) => (place < 0 ? Number.POSITIVE_INFINITY : place)));
  const index = places.indexOf(first);
  if (index < 0) return undefined;
  // Options of the same text take the last one's letter.
  return String.fromCharCode(65 + options.lastIndexOf(options[index]!));
}
