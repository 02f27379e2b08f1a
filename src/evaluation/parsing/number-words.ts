const words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];

/** "two" → "2", up to ten. */
export const numberWords: ReadonlyMap<string, string> = new Map(
  words.map((word, value) => [word, String(value)]),
);
