/** Runs of `length` words. */
const runsOf = (words: readonly string[], length: number): string[] =>
  Array.from({ length: Math.max(0, words.length - length + 1) }, (_, start) =>
    words.slice(start, start + length).join(" "),
  );

const runLength = 5;
const nearlySame = 0.8;

/** Texts that share at least 0.8 of their runs of five words (Jaccard) with one before them. Shorter texts are left out. */
export function nearDuplicates(texts: readonly (readonly string[])[]): number {
  const textsWith = new Map<string, number[]>();
  const runs = texts.map((words) => new Set(runsOf(words, runLength)));
  let found = 0;
  for (const [index, own] of runs.entries()) {
    const common = new Map<number, number>();
    for (const run of own) {
      const others = textsWith.get(run) ?? [];
      for (const other of others) common.set(other, (common.get(other) ?? 0) + 1);
      textsWith.set(run, [...others, index]);
    }
    const isNear = [...common].some(
      ([other, count]) => count / (own.size + runs[other]!.size - count) >= nearlySame,
    );
    if (isNear) found++;
  }
  return found;
}

/** The mean BLEU-4 of each text with all others as its references, smoothed by one; null for fewer than two long enough. */
export function selfBleu(texts: readonly (readonly string[])[]): number | null {
  const long = texts.filter(({ length }) => length >= 4);
  if (long.length < 2) return null;
  let logs = new Float64Array(long.length);
  for (let length = 1; length <= 4; length++) {
    // For each run the two largest counts: a text's own must not count as its reference.
    const most = new Map<string, { count: number; text: number; second: number }>();
    const counts = long.map((words, text) => {
      const own = new Map<string, number>();
      for (const run of runsOf(words, length)) own.set(run, (own.get(run) ?? 0) + 1);
      for (const [run, count] of own) {
        const known = most.get(run);
        if (known === undefined) most.set(run, { count, text, second: 0 });
        else if (count > known.count) most.set(run, { count, text, second: known.count });
        else if (count > known.second) known.second = count;
      }
      return own;
    });
    logs = logs.map((log, text) => {
      let [matched, all] = [0, 0];
      for (const [run, count] of counts[text]!) {
        const known = most.get(run)!;
        matched += Math.min(count, known.text === text ? known.second : known.count);
        all += count;
      }
      return log + Math.log(length === 1 ? matched / all || 1e-9 : (matched + 1) / (all + 1));
    });
  }
  return logs.reduce((sum, log) => sum + Math.exp(log / 4), 0) / long.length;
}
