/** Counts of the n-grams of `tokens`, one map per length 1…`longest`; the words of a key are joined by spaces. */
export function countNGrams(tokens: readonly string[], longest: number): Map<string, number>[] {
  return Array.from({ length: longest }, (_, index) => {
    const counts = new Map<string, number>();
    for (let end = index + 1; end <= tokens.length; end++) {
      const key = tokens.slice(end - index - 1, end).join(" ");
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  });
}
