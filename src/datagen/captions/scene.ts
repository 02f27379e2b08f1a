import { commonConcept, conceptNamed, isAgent, isKindOf, kindsOf, sharedKind } from "../language/concepts.ts";
import type { Reader } from "../language/english-reader.ts";
import { type CaptionFacts, readCaption } from "./caption-facts.ts";

/** An image and what people wrote about it. */
export interface CaptionedPhoto {
  readonly image: string;
  readonly captions: readonly string[];
}

/** The people of a photo, or its animals of one species, as the captions agree on them. */
export interface Cast {
  /** The most precise name that fits all captions: "boy", "person", "dog". */
  readonly concept: string;
  /** "unclear" where captions contradict each other. */
  readonly number: "one" | "several" | "unclear";
  /** As many as every caption that counts them says; undefined if fewer than two do or they differ. */
  readonly count: number | undefined;
  /** Captions that name them. */
  readonly support: number;
}

/** What the captions of one photo name. */
export interface Inventory extends CaptionedPhoto {
  /** Captions that name each concept, by that concept itself or one of its kind. */
  readonly named: ReadonlyMap<string, number>;
  /** As `named`, but by the concept's own names alone. */
  readonly namedExactly: ReadonlyMap<string, number>;
  /** All concepts that any word of a caption may name, even in passing. */
  readonly mentioned: ReadonlySet<string>;
}

/** What the captions of one photo say together. */
export interface Scene extends Inventory {
  readonly facts: readonly CaptionFacts[];
  readonly casts: readonly Cast[];
}

/** What questions about other photos need of this one; the rest is several times as large. */
export const inventoryOf = ({ image, captions, named, namedExactly, mentioned }: Scene): Inventory => ({
  image,
  captions,
  named,
  namedExactly,
  mentioned,
});

/** Words that tell of a person without naming one. */
const traces = new Set(
  "hand arm leg crowd group team family couple someone he she him his rider owner".split(" "),
);

export function readScene({ image, captions }: CaptionedPhoto, read: Reader): Scene {
  const facts = captions.map((caption) => readCaption(caption, read));
  const named = new Map<string, number>();
  const namedExactly = new Map<string, number>();
  for (const { phrases } of facts) {
    const exact = new Set(phrases.flatMap(({ concept }) => concept ?? []));
    const kinds = new Set([...exact].flatMap((concept) => [...kindsOf(concept)]));
    for (const concept of exact) namedExactly.set(concept, (namedExactly.get(concept) ?? 0) + 1);
    for (const concept of kinds) named.set(concept, (named.get(concept) ?? 0) + 1);
  }
  const mentioned = new Set(
    facts.flatMap(({ words, phrases }) => [
      ...phrases.flatMap(({ concept }) => concept ?? []),
      ...words.flatMap(({ text, lemma }) =>
        traces.has(lemma) ? "person" : (conceptNamed(lemma) ?? conceptNamed(text) ?? []),
      ),
    ]),
  );
  return { image, captions, facts, named, namedExactly, mentioned, casts: castsOf(facts) };
}

/** "person", or the species: what a cast is made of. */
export function speciesOf(concept: string): string {
  if (isKindOf(concept, "person")) return "person";
  return [...kindsOf(concept)].findLast((kind) => kind !== "animal") ?? "animal";
}

function castsOf(facts: readonly CaptionFacts[]): Cast[] {
  const captions = facts.map(({ phrases }) => {
    const bySpecies = new Map<string, { concepts: string[]; count: number | "many" }>();
    for (const { concept, count = "many", determiner } of phrases) {
      if (concept === undefined || !isAgent(concept)) continue;
      const species = speciesOf(concept);
      const said = bySpecies.get(species);
      // "the dog" after "a dog" is the same one.
      const again = said !== undefined && (determiner === "the" || determiner === undefined) && count === 1;
      const sum =
        said === undefined
          ? count
          : again
            ? said.count
            : count === "many" || said.count === "many"
              ? "many"
              : said.count + count;
      bySpecies.set(species, { concepts: [...(said?.concepts ?? []), concept], count: sum });
    }
    return bySpecies;
  });
  const species = new Set(captions.flatMap((bySpecies) => [...bySpecies.keys()]));
  return [...species].flatMap((name) => {
    const said = captions.flatMap((bySpecies) => bySpecies.get(name) ?? []);
    const number = numberOf(said.map(({ count }) => count));
    // "A boy and a man" are two people, "two boys" and "two people" two boys.
    const names = said.flatMap(({ concepts }) =>
      number.number === "one" ? concepts : (sharedKind(concepts) ?? []),
    );
    const concept = names.length === 0 ? undefined : commonConcept(names);
    return concept === undefined ? [] : [{ concept, ...number, support: said.length }];
  });
}

function numberOf(said: readonly (number | "many")[]): Pick<Cast, "number" | "count"> {
  const exact = said.filter((count) => count !== "many");
  const agreed = new Set(exact).size === 1 && exact.length >= 2 ? exact[0] : undefined;
  if (said.every((count) => count === 1)) return { number: "one", count: agreed };
  if (said.every((count) => count !== 1)) return { number: "several", count: agreed };
  return { number: "unclear", count: undefined };
}
