/** How alike two words are, from 0 to 1. */
export type WordSimilarity = (first: string, second: string) => number;

/**
 * Wu-Palmer similarity of two answers as sets of words (Malinowski and Fritz 2014, "A Multi-World Approach to Question
 * Answering", section 4): each word finds its nearest in the other answer, and these similarities are multiplied; of both
 * directions the smaller product counts. Similarities below `threshold` count a tenth. NExT-QA leaves out words that are
 * like none.
 */
export function wups(
  first: readonly string[],
  second: readonly string[],
  similarity: WordSimilarity,
  threshold: number,
): number {
  const alike: WordSimilarity = (one, other) => {
    if (one === other) return 1;
    const value = similarity(one, other);
    return value < threshold ? value / 10 : value;
  };
  return Math.min(product(first, second, alike), product(second, first, alike));
}

function product(words: readonly string[], others: readonly string[], alike: WordSimilarity): number {
  const nearest = words
    .map((word) => others.reduce((best, other) => Math.max(best, alike(word, other)), 0))
    .filter((value) => value > 0);
  return nearest.length === 0 ? 0 : nearest.reduce((sum, value) => sum * value, 1);
}
