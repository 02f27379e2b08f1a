/** Without case, punctuation and the forms that look alike: what two texts are compared by. */
export const normalisedText = (text: string): string => wordsOf(text).join(" ");

/** Words in lower case; of scripts without blanks between words, every character. */
export const wordsOf = (text: string): string[] =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .match(/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|[\p{L}\p{M}\p{N}]+/gu) ?? [];

/** Runs of `length` words. */
export const runsOf = (words: readonly string[], length: number): string[] =>
  Array.from({ length: Math.max(0, words.length - length + 1) }, (_, start) =>
    words.slice(start, start + length).join(" "),
  );

/** Jaccard's likeness of the runs of five words of two texts; of their words, where one has fewer. */
export function sharedRuns(a: readonly string[], b: readonly string[]): number {
  const length = Math.min(5, a.length, b.length);
  if (length === 0) return 0;
  const [own, others] = [new Set(runsOf(a, length)), new Set(runsOf(b, length))];
  const common = [...own].filter((run) => others.has(run)).length;
  return common / (own.size + others.size - common);
}
