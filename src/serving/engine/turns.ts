/** Whose turn it is when, and how urgent. */
export interface Waiting {
  readonly owner: string;
  /** Lower goes first. */
  readonly priority: number;
}

/** Who waits: the most urgent first, among those the owners in turn, and of one owner whoever came first. */
export class Turns<W extends Waiting> {
  /** In the order of their turns; of each owner, the most urgent first. */
  readonly #owners = new Map<string, W[]>();

  get size(): number {
    let count = 0;
    for (const waiting of this.#owners.values()) count += waiting.length;
    return count;
  }

  all(): W[] {
    return [...this.#owners.values()].flat();
  }

  /** At the end, or in front of what is as urgent: of one who had a turn already. */
  add(waiting: W, { inFront = false } = {}): void {
    const line = this.#owners.get(waiting.owner) ?? [];
    const at = line.findIndex(({ priority }) =>
      inFront ? priority >= waiting.priority : priority > waiting.priority,
    );
    line.splice(at < 0 ? line.length : at, 0, waiting);
    this.#owners.set(waiting.owner, line);
  }

  /** Who is next of those that may; nobody's turn is taken yet. */
  next(may: (waiting: W) => boolean): W | undefined {
    let best: W | undefined;
    for (const line of this.#owners.values()) {
      const first = line.find(may);
      if (first !== undefined && (best === undefined || first.priority < best.priority)) best = first;
    }
    return best;
  }

  /** Takes somebody out, whose owner's next turn comes after all others'. */
  remove(waiting: W, { tookTurn = false } = {}): void {
    const line = this.#owners.get(waiting.owner);
    const at = line?.indexOf(waiting) ?? -1;
    if (line === undefined || at < 0) return;
    line.splice(at, 1);
    if (tookTurn || line.length === 0) this.#owners.delete(waiting.owner);
    if (line.length > 0) this.#owners.set(waiting.owner, line);
  }
}
