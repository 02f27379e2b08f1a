import { pluralNames } from "./concepts.ts";

const mass = new Set("water snow ice grass sand food graffiti hair soccer tennis hockey rugby".split(" "));
const irregularPlurals = new Map(
  Object.entries({
    person: "people",
    man: "men",
    woman: "women",
    child: "children",
    sheep: "sheep",
    fish: "fish",
    deer: "deer",
    goose: "geese",
  }),
);

export const plural = (noun: string): string =>
  irregularPlurals.get(noun) ??
  (pluralNames.has(noun)
    ? noun
    : /[^aeiou]y$/.test(noun)
      ? `${noun.slice(0, -1)}ies`
      : /(s|sh|ch|x)$/.test(noun)
        ? `${noun}es`
        : `${noun}s`);

/** "a dog", "an elephant"; "snow" and "stairs" stay without an article. */
export function withArticle(noun: string): string {
  if (mass.has(noun) || pluralNames.has(noun)) return noun;
  return `${/^[aeiou]/.test(noun) && !/^(uni|eu)/.test(noun) ? "an" : "a"} ${noun}`;
}

export const isPluralName = (noun: string): boolean => pluralNames.has(noun);

/** "a dog  running , fast" → "A dog running, fast." */
export const asSentence = (caption: string): string => sentenceOf(caption, { joinsQuotes: true });

/** The same; quotation marks are joined to what they enclose only if asked. */
export function sentenceOf(caption: string, { joinsQuotes }: { joinsQuotes: boolean }): string {
  const joined = caption
    .replace(/\s+/g, " ")
    .replace(/ ([.,;:!?])/g, "$1")
    .replace(/ (n't|'s|'re|'m|'ll|'ve|'d)\b/g, "$1")
    .replace(/" ([^"]*?) "/g, joinsQuotes ? '"$1"' : "$&")
    .trim();
  const ended = /[.!?]["']?$/.test(joined) ? joined : `${joined.replace(/[,;:]$/, "")}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
