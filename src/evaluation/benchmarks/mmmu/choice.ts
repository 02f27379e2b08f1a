/** Options of a question by letter. */
export type Options = Readonly<Record<string, string>>;

/** How an answer may name an option by its letter: what shows that it does, and where, if that is looked for otherwise. */
export interface LetterForm {
  readonly seen: (letter: string) => string;
  readonly placed?: (letter: string) => string;
}

const bracketed: LetterForm = { seen: (letter) => `(${letter})` };
const alone: LetterForm = { seen: (letter) => ` ${letter} ` };
const dotted: LetterForm = { seen: (letter) => `${letter}.` };

/**
 * The letter that an answer chooses, by the rules of MMMU's own `parse_multi_choice_response`: "(A)", else " A ", else
 * the text of an option in an answer of more than five words; of several the one that stands last.
 * `withPoint` also takes "A." after " A ", as later evaluations do. Undefined where nothing is found.
 */
export const chosenLetter = (answer: string, options: Options, withPoint: boolean): string | undefined =>
  letterBy(withPoint ? [bracketed, alone, dotted] : [bracketed, alone], answer, options);

/** The same for any forms, the first that is seen. */
export function letterBy(forms: readonly LetterForm[], answer: string, options: Options): string | undefined {
  const letters = Object.keys(options);
  const text = ` ${stripMarks(answer)} `;
  for (const { seen, placed = seen } of forms) {
    const found = letters.filter((letter) => text.includes(seen(letter)));
    if (found.length > 0) return lastOf(found, (letter) => text.lastIndexOf(placed(letter)));
  }
  if (text.trim().split(/\s+/).length <= 5) return undefined;
  const lower = text.toLowerCase();
  const named = letters.filter((letter) => lower.includes(options[letter]!.toLowerCase()));
  return lastOf(named, (letter) => lower.lastIndexOf(options[letter]!.toLowerCase()));
}

/** The candidate with the greatest place, the first of equals, even where none has one. */
function lastOf(candidates: readonly string[], place: (candidate: string) => number): string | undefined {
  let best = candidates[0];
  let last = best === undefined ? -1 : place(best);
  for (const candidate of candidates.slice(1)) {
    const found = place(candidate);
    if (found > last) [best, last] = [candidate, found];
  }
  return best;
}

/** Takes each mark off both ends, one mark after the other: "A.'" keeps nothing but "A", "A'." keeps "A'". */
function stripMarks(text: string): string {
  let [start, end] = [0, text.length];
  for (const mark of ",.!?;:'") {
    while (start < end && text[start] === mark) start++;
    while (start < end && text[end - 1] === mark) end--;
  }
  return text.slice(start, end);
}

/** A letter drawn by the question's id (FNV-1a), so that the guess depends on neither order nor run. */
export function guessedLetter(id: string, letters: readonly string[]): string | undefined {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(id)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return letters[hash % letters.length];
}
