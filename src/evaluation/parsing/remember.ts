/** A pure function of a text that keeps its latest results, because people answer alike; at most `limit` of them. */
export function remember<Result>(
  compute: (text: string) => Result,
  limit = 65_536,
): (text: string) => Result {
  const known = new Map<string, Result>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size >= limit) known.clear();
    const result = compute(text);
    known.set(text, result);
    return result;
  };
}
