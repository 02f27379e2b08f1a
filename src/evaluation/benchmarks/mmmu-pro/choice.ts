import { type LetterForm, letterBy, type Options } from "../mmmu/choice.ts";

/** Letters at a word's end count as well, and those with a point; both are ranked by where they stand alone. */
const forms: readonly LetterForm[] = [
  { seen: (letter) => `(${letter})` },
  { seen: (letter) => `${letter} `, placed: (letter) => ` ${letter} ` },
  { seen: (letter) => `${letter}.`, placed: (letter) => ` ${letter} ` },
];

const announcement = "Answer:";

/**
 * The letter that an answer chooses, by the rules of mmmu-pro/evaluate.py: the only letter after the last "Answer:", else
 * as MMMU reads letters and texts of options, in forms of its own. Undefined where it would draw one.
 */
export function chosenLetter(answer: string, options: Options): string | undefined {
  const place = answer.lastIndexOf(announcement);
  if (place >= 0) {
    const stated = answer.slice(place + announcement.length);
    const named = Object.keys(options).filter((letter) => stated.includes(letter));
    if (named.length === 1) return named[0];
  }
  return letterBy(forms, answer, options);
}
