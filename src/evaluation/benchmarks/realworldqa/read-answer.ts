import { chosenOption, numberWords, plainAnswer } from "../../parsing/index.ts";

/**
 * What an answer says, lower-case: the letter of the option that it chooses, or of the first whose text it contains, else
 * its own words without punctuation; a number word alone is a digit. With `compat` letters are not looked for, as by
 * lmms-eval 0.2 to 0.7.1, which miss that of "B. Left" where the option's text differs in punctuation.
 */
export function readAnswer(answer: string, question: string, compat: boolean): string {
  const options = Array.from(question.matchAll(/\b[A-Z]\.\s+([^\n]*)/g), ([, text]) => text!.trim());
  const given = compat ? answer : plainAnswer(answer);
  const text = numberWords.get(given.toLowerCase()) ?? given;
  const words = text.replace(/[^\p{L}\p{M}\p{N}_\s]/gu, "").trim();
  const quoted = letterOf(words, options);
  if (compat || options.length === 0) return (quoted ?? words).toLowerCase();
  const letter =
    stated(given, options) ??
    quoted ??
    chosenOption(
      given,
      options.map(() => ""),
    );
  return (letter ?? words).toLowerCase();
}

/** The letter at the answer's start, which counts whatever text stands after it. */
const stated = (answer: string, options: readonly string[]): string | undefined =>
  /^\(?([A-Z])(?:[.):]|$)/
    .exec(answer)
    ?.slice(1)
    .find((letter) => letter.charCodeAt(0) - 65 < options.length);

/** Of the options that the words contain, the one that stands first; of several there, the first of the list. */
function letterOf(words: string, options: readonly string[]): string | undefined {
  const places = options.map((option) => words.indexOf(option));
  const first = Math.min(...places.map((place) => (place < 0 ? Number.POSITIVE_INFINITY : place)));
  const index = places.indexOf(first);
  if (index < 0) return undefined;
  // Options of the same text take the last one's letter.
  return String.fromCharCode(65 + options.lastIndexOf(options[index]!));
}
