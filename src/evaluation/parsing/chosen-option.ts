import { letters } from "../prompting/index.ts";
import { leadingLetter } from "./letter.ts";

/**
 * The letter of the option that an answer gives: as " B. …" at its start, as the letter alone in any case and with any
 * marks ("(b)"), by the option's whole text, as the one that it calls the answer ("The answer is B because …"), or as the
 * first letter that stands alone with no word after it ("C" wears the camera). Undefined where it gives none of them.
 */
export function chosenOption(answer: string, options: readonly string[]): string | undefined {
  const offered = letters.slice(0, options.length);
  const leading = leadingLetter(answer);
  if (leading !== undefined && offered.includes(leading)) return leading;
  const text = bare(answer);
  const alone = text.toUpperCase();
  if (offered.includes(alone)) return alone;
  const quoted = options.findIndex((option) => bare(option) === text);
  if (text !== "" && quoted >= 0) return letters[quoted];
  const called = new Set(
    [...answer.matchAll(calledAnswer)]
      .map(([, letter]) => letter!)
      .filter((letter) => offered.includes(letter)),
  );
  if (called.size === 1) return [...called][0];
  return [...answer.matchAll(loneLetter)]
    .map(([letter]) => letter)
    .find((letter) => offered.includes(letter));
}

/** "The answer is B", "Answer: (B)", "option B" */
const calledAnswer = /\b(?:answer|option|choice)\b(?:\s+is)?\s*:?\s*["'*(]*([A-Z])(?![\p{L}\p{N}'’])/giu;

const loneLetter = /(?<![\p{L}\p{N}'’])[A-Z](?![\p{L}\p{N}'’]| \p{Ll})/gu;

/** Lower-case, without punctuation and without spaces at its ends. */
const bare = (text: string): string => text.replace(/\p{P}/gu, "").trim().toLowerCase();

/** A question and the options that it lists as "A. …", "B. …", each from the start of a line to the next. */
export function splitOptions(text: string): {
  readonly question: string;
  readonly options: readonly string[];
} {
  const [question, ...options] = text.split(/\n(?=[A-Z]\. )/);
  const merged: string[] = [];
  // A line may begin like an option within one.
  for (const option of options)
    if (option.startsWith(letters[merged.length]!)) merged.push(option.slice(3));
    else if (merged.length > 0) merged.push(`${merged.pop()}\n${option}`);
  return { question: question!, options: merged };
}
