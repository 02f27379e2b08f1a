/** Options of a question by letter. */
export type Options = Readonly<Record<string, string>>;

/**
 * The letter that an answer chooses, by the rules of MMMU's own `parse_multi_choice_response`: "(A)", else " A ", else
 * the text of an option in an answer of more than five words; of several the one that stands last.
 * `dotted` also takes "A." after " A ", as later evaluations do. Undefined where nothing is found.
 */
export function chosenLetter(answer: string, options: Options, dotted: boolean): string | undefined {
  const letters = Object.keys(options);
  const text = ` ${stripMarks(answer)} `;
  const forms = [(letter: string) => `(${letter})`, (letter: string) => ` ${letter} `];
  if (dotted) forms.push((letter) => `${letter}.`);
  for (const form of forms) {
    const found = lastOf(letters, (letter) => text.lastIndexOf(form(letter)));
    if (found !== undefined) return found;
  }
  if (text.trim().split(/\s+/).length <= 5) return undefined;
  const lower = text.toLowerCase();
  return lastOf(letters, (letter) => lower.lastIndexOf(options[letter]!.toLowerCase()));
}

/** The candidate with the greatest place, the first of equals; none where all places are negative. */
function lastOf(candidates: readonly string[], place: (candidate: string) => number): string | undefined {
  let best: string | undefined;
  let last = -1;
  for (const candidate of candidates) {
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
