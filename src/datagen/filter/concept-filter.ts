import { mulberry32, seedOfText } from "../../random/index.ts";

export interface ConceptFilterOptions {
  /** Phrases in fewer captions are not looked at. */
  readonly minFrequency: number;
  /** Captions that one phrase brings in at most, drawn by chance. */
  readonly maxPerPhrase: number;
  readonly seed: number;
}

export interface Selection {
  /** 1 for each caption that was chosen, in the order they were added. */
  readonly chosen: Uint8Array;
  readonly count: number;
  /** In how many captions each phrase is: of all, and of those that were chosen. */
  readonly frequencyBefore: Uint32Array;
  readonly frequencyAfter: Uint32Array;
}

/**
 * Chooses captions so that rare concepts stay and frequent ones do not crowd them out, as LLaVA's CC3M-595K was made
 * (arXiv 2304.08485, section 4.2): phrases from the rarest on, dropping those with fewer than `minFrequency` captions;
 * each adds its captions, or `maxPerPhrase` of them. Holds 4 bytes for each phrase of each caption, and each phrase once.
 */
export class ConceptFilter {
  readonly #ids = new Map<string, number>();
  readonly #phrases = new GrowingList();
  /** Where each caption's phrases end in the list. */
  readonly #ends = new GrowingList();

  /** Phrases of the next caption, each once. */
  add(phrases: readonly string[]): void {
    for (const phrase of phrases) {
      let id = this.#ids.get(phrase);
      if (id === undefined) {
        id = this.#ids.size;
        this.#ids.set(phrase, id);
      }
      this.#phrases.push(id);
    }
    this.#ends.push(this.#phrases.length);
  }

  get captions(): number {
    return this.#ends.length;
  }

  get uniquePhrases(): number {
    return this.#ids.size;
  }

  select({ minFrequency, maxPerPhrase, seed }: ConceptFilterOptions): Selection {
    const ends = this.#ends.values();
    const phrases = this.#phrases.values();
    const frequency = new Uint32Array(this.#ids.size);
    for (const phrase of phrases) frequency[phrase]!++;
    const { starts, captions } = this.#inverted(frequency);
    const order = Uint32Array.from(frequency.keys())
      .filter((phrase) => frequency[phrase]! >= minFrequency)
      .sort((one, other) => frequency[one]! - frequency[other]! || one - other);
    const chosen = new Uint8Array(ends.length);
    const random = mulberry32(seedOfText(seed, "concepts"));
    for (const phrase of order) {
      const having = captions.subarray(starts[phrase]!, starts[phrase]! + frequency[phrase]!);
      if (having.length > maxPerPhrase) drawFirst(having, maxPerPhrase, random);
      for (const caption of having.subarray(0, maxPerPhrase)) chosen[caption] = 1;
    }
    const frequencyAfter = new Uint32Array(frequency.length);
    let count = 0;
    for (const [caption, end] of ends.entries()) {
      if (chosen[caption] === 0) continue;
      count++;
      for (let i = caption === 0 ? 0 : ends[caption - 1]!; i < end; i++) frequencyAfter[phrases[i]!]!++;
    }
    return { chosen, count, frequencyBefore: frequency, frequencyAfter };
  }

  /** The captions of each phrase, one phrase after another. */
  #inverted(frequency: Uint32Array): { starts: Uint32Array; captions: Uint32Array } {
    const phrases = this.#phrases.values();
    const starts = new Uint32Array(frequency.length);
    for (let i = 1; i < starts.length; i++) starts[i] = starts[i - 1]! + frequency[i - 1]!;
    const next = starts.slice();
    const captions = new Uint32Array(phrases.length);
    let i = 0;
    for (const [caption, end] of this.#ends.values().entries())
      for (; i < end; i++) captions[next[phrases[i]!]!++] = caption;
    return { starts, captions };
  }
}

/** Brings `count` of the values, drawn by chance, to the front. */
function drawFirst(values: Uint32Array, count: number, random: () => number): void {
  for (let i = 0; i < count; i++) {
    const other = i + Math.floor(random() * (values.length - i));
    [values[i], values[other]] = [values[other]!, values[i]!];
  }
}

/** Whole numbers below 2³², 4 bytes each. */
class GrowingList {
  #values = new Uint32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.#values.length) {
      const larger = new Uint32Array(Math.ceil(this.length * 1.5));
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.length++] = value;
  }

  values(): Uint32Array {
    return this.#values.subarray(0, this.length);
  }
}
