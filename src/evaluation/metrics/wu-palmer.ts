import type { Synset, WordNet } from "./wordnet.ts";

/** Above all senses of verbs, adjectives and adverbs, which have no common one. */
const root = Symbol("root");
type Node = Synset | typeof root;

/**
 * Wu and Palmer's similarity of two senses, from 0 to 1: twice the depth of their deepest common hypernym by the sum of
 * their depths through it. As NLTK computes it, where the common hypernym's depth is that of its shortest path from the
 * top for the choice of it, and that of its longest for the formula. 0 for senses without a common hypernym.
 */
export class WuPalmer {
  readonly #wordNet: WordNet;
  readonly #depths = new Map<Node, { readonly least: number; readonly most: number }>();
  readonly #distances = new Map<Synset, ReadonlyMap<Node, number>>();

  constructor(wordNet: WordNet) {
    this.#wordNet = wordNet;
  }

  similarity(first: Synset, second: Synset): number {
    const [ours, theirs] = [this.#distancesOf(first), this.#distancesOf(second)];
    const withRoot = first.part !== "n" || second.part !== "n";
    let best: { readonly node: Node; readonly depth: number; readonly name: string } | undefined;
    for (const node of ours.keys()) {
      if (!theirs.has(node) || (node === root && !withRoot)) continue;
      const depth = this.#depth(node).least;
      if (best && depth < best.depth) continue;
      // Of equally deep ones the sense itself, then the root, then by name.
      const name = node === first || node === root ? "" : this.#wordNet.name(node);
      if (!best || depth > best.depth || name < best.name) best = { node, depth, name };
    }
    if (!best) return 0;
    const depth = this.#depth(best.node).most + 1;
    const apart = ours.get(best.node)! + theirs.get(best.node)!;
    return (2 * depth) / (2 * depth + apart);
  }

  /** Steps from a sense to each of its hypernyms, and to the root beyond the farthest of them. */
  #distancesOf(synset: Synset): ReadonlyMap<Node, number> {
    const known = this.#distances.get(synset);
    if (known) return known;
    const distances = new Map<Node, number>();
    let farthest = 0;
    for (let steps = 0, level: readonly Synset[] = [synset]; level.length > 0; steps++) {
      const above: Synset[] = [];
      for (const node of level) {
        if (distances.has(node)) continue;
        distances.set(node, steps);
        farthest = steps;
        above.push(...this.#wordNet.hypernyms(node));
      }
      level = above;
    }
    distances.set(root, farthest + 1);
    this.#distances.set(synset, distances);
    return distances;
  }

  #depth(node: Node): { readonly least: number; readonly most: number } {
    const known = this.#depths.get(node);
    if (known) return known;
    const above = node === root ? [] : this.#wordNet.hypernyms(node).map((hypernym) => this.#depth(hypernym));
    const depth =
      above.length === 0
        ? { least: 0, most: 0 }
        : {
            least: 1 + Math.min(...above.map(({ least }) => least)),
            most: 1 + Math.max(...above.map(({ most }) => most)),
          };
    this.#depths.set(node, depth);
    return depth;
  }
}
