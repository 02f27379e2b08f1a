/** Priority of joining two neighbours (smaller first), or `undefined` where the vocabulary has no such merge. */
export type MergeRank = (left: string, right: string) => number | undefined;

interface Candidate {
  readonly rank: number;
  readonly left: number;
  readonly right: number;
  /** Length of both symbols when queued: a candidate whose neighbours have grown since is stale. */
  readonly length: number;
}

const precedes = (a: Candidate, b: Candidate): boolean =>
  a.rank < b.rank || (a.rank === b.rank && a.left < b.left);

/**
 * Byte-pair encoding (Sennrich et al. 2016): joins the pair of best rank, leftmost first, until none is left.
 * A queue over a linked list keeps it O(n log n), since SentencePiece vocabularies treat a whole text as one word.
 */
export function mergeSymbols(word: string, rankOf: MergeRank): string[] {
  const symbols = Array.from(word);
  if (symbols.length < 2) return symbols;
  const next = symbols.map((_, i) => i + 1);
  const previous = symbols.map((_, i) => i - 1);
  const queue: Candidate[] = [];

  const propose = (left: number, right: number) => {
    if (left < 0 || right >= symbols.length) return;
    const rank = rankOf(symbols[left]!, symbols[right]!);
    if (rank === undefined) return;
    push(queue, { rank, left, right, length: symbols[left]!.length + symbols[right]!.length });
  };

  for (let i = 0; i + 1 < symbols.length; i++) propose(i, i + 1);
  for (let best = pop(queue); best !== undefined; best = pop(queue)) {
    const { left, right, length } = best;
    const isStale =
      !symbols[left] || !symbols[right] || symbols[left].length + symbols[right].length !== length;
    if (isStale) continue;
    symbols[left] = symbols[left]! + symbols[right]!;
    symbols[right] = "";
    const after = next[right]!;
    next[left] = after;
    if (after < symbols.length) previous[after] = left;
    propose(previous[left]!, left);
    propose(left, after);
  }
  return symbols.filter((symbol) => symbol !== "");
}

function push(heap: Candidate[], candidate: Candidate): void {
  let i = heap.length;
  heap.push(candidate);
  while (i > 0) {
    const parent = (i - 1) >> 1;
    if (!precedes(candidate, heap[parent]!)) break;
    heap[i] = heap[parent]!;
    i = parent;
  }
  heap[i] = candidate;
}

function pop(heap: Candidate[]): Candidate | undefined {
  const best = heap[0];
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return best;
  let i = 0;
  for (let child = 1; child < heap.length; child = 2 * i + 1) {
    if (child + 1 < heap.length && precedes(heap[child + 1]!, heap[child]!)) child++;
    if (!precedes(heap[child]!, last)) break;
    heap[i] = heap[child]!;
    i = child;
  }
  heap[i] = last;
  return best;
}
