import { conceptNamed, pluralNames } from "./concepts.ts";
import type { Word } from "./english-reader.ts";
import { verbForm } from "./verbs.ts";

/** A noun with what stands before it: "two small black dogs". */
export interface NounPhrase {
  /** Its words are those from `start` up to `end`. */
  readonly start: number;
  readonly end: number;
  /** Lemma of the noun. */
  readonly head: string;
  /** What it names, if the table of concepts has it. */
  readonly concept: string | undefined;
  readonly plural: boolean;
  /** Undefined where the caption leaves it open: "dogs", "a group of people". */
  readonly count: number | undefined;
  /** Names that questions use, in the order of the alphabet. */
  readonly colors: readonly string[];
  /** "a", "the", "his", …; undefined if it has none. */
  readonly determiner: string | undefined;
}

const colorNames = new Map([
  ..."black white red blue green yellow orange pink purple brown gray".split(" ").map((name) => [name, name]),
  ["grey", "gray"],
  ["tan", "tan"],
  ["blond", "blond"],
  ["blonde", "blond"],
  ["beige", "tan"],
  ["golden", "gold"],
  ["gold", "gold"],
  ["silver", "silver"],
] as [string, string][]);

const numberWords = "zero one two three four five six seven eight nine ten".split(" ");

/** 1 → "one"; undefined above ten. */
export const numberWord = (count: number): string | undefined => numberWords[count];

function numberOf(word: string): number | undefined {
  const index = numberWords.indexOf(word);
  if (index > 0) return index;
  return /^[1-9]$|^10$/.test(word) ? Number(word) : undefined;
}

const determiners = new Set("a an the another this that each his her its their some several many".split(" "));
const groups = new Map(
  Object.entries({ couple: 2, pair: 2, trio: 3, duo: 2 }).concat(
    "group crowd bunch team number lot pack herd row line family set pile flock"
      .split(" ")
      .map((n) => [n, Number.NaN]),
  ),
);
/** Said of people when nothing follows. */
const peopleAlone = new Set("couple group crowd team family audience trio".split(" "));
const irregular = new Map(Object.entries({ people: "person", persons: "person", kids: "kid", men: "man" }));
const verbOpeners = new Set(
  "while whilst and is are as then , who that it he she they , by after before being both all not".split(" "),
);

/** True if the word is a verb of the table and not the noun or adjective that looks the same. */
export function isVerbAt(words: readonly Word[], index: number): boolean {
  const word = words[index]!;
  const known = verbForm(word.text);
  if (known === undefined) return false;
  const before = words[index - 1];
  if (before === undefined) return known.form === "present" && words[index + 1]?.pos !== "NOUN";
  if (before.text === "to" || determiners.has(before.text)) return false;
  if (verbOpeners.has(before.text)) return known.form !== "base" || word.pos === "VERB";
  if (before.pos === "ADP" || before.pos === "NUM" || colorNames.has(before.text)) return false;
  if (known.form === "present") return before.pos !== "ADJ" || word.pos === "VERB";
  const nounBefore = before.pos === "NOUN" || before.pos === "PROPN" || before.pos === "ADV";
  if (known.form === "third") return nounBefore || word.pos === "VERB";
  const pluralBefore = irregular.has(before.text) || before.text !== before.lemma;
  return pluralBefore && (nounBefore || word.pos === "VERB");
}

/** All noun phrases of a caption, from left to right; "a group of children" is one. */
export function nounPhrases(words: readonly Word[]): NounPhrase[] {
  const phrases: NounPhrase[] = [];
  for (let i = 0; i < words.length; ) {
    const phrase = phraseAt(words, i);
    if (phrase === undefined) {
      i++;
      continue;
    }
    i = phrase.end;
    const before = phrases.at(-1);
    const joined =
      before !== undefined &&
      groups.has(before.head) &&
      words[before.end]?.text === "of" &&
      phrase.start === before.end + 1;
    if (joined) phrases.pop();
    const size = joined ? groups.get(before.head)! : undefined;
    phrases.push(
      size === undefined
        ? phrase
        : {
            ...phrase,
            start: before!.start,
            determiner: before!.determiner,
            plural: true,
            count: phrase.count !== undefined && phrase.plural ? phrase.count : finite(size),
          },
    );
  }
  return phrases.map((phrase) =>
    phrase.concept === undefined && peopleAlone.has(phrase.head)
      ? { ...phrase, concept: "person", plural: true, count: finite(groups.get(phrase.head) ?? Number.NaN) }
      : phrase,
  );
}

const finite = (value: number): number | undefined => (Number.isNaN(value) ? undefined : value);

function phraseAt(words: readonly Word[], start: number): NounPhrase | undefined {
  let i = start;
  const first = words[i]!;
  const determiner = determiners.has(first.text) ? first.text : undefined;
  if (determiner !== undefined) i++;
  let number: number | undefined;
  const colors = new Set<string>();
  let last = -1;
  for (; i < words.length; i++) {
    const word = words[i]!;
    const color = colorNames.get(word.text);
    if (color !== undefined && isColorHere(words, i)) {
      if (last >= 0) break;
      colors.add(color);
    } else if (last < 0 && numberOf(word.text) !== undefined) number = numberOf(word.text);
    else if (isNoun(words, i) && !(last >= 0 && isParticiple(word))) last = i;
    else if (last >= 0) break;
    else if (word.pos === "ADJ" || word.pos === "ADV" || (determiner !== undefined && word.pos === "VERB"))
      continue;
    else if ((word.text === "and" || word.text === "," || word.text === "-") && colors.size > 0) continue;
    else return undefined;
  }
  if (last < 0) return undefined;
  const noun = words[last]!;
  const head = irregular.get(noun.text) ?? noun.lemma;
  const pair = last > start ? `${words[last - 1]!.text} ${head}` : "";
  const concept = conceptNamed(pair) ?? conceptNamed(head) ?? conceptNamed(noun.text);
  const plural = irregular.has(noun.text) ? noun.text !== "person" : isPlural(noun, number, concept);
  return {
    start,
    end: last + 1,
    head,
    concept,
    plural,
    count: number ?? (plural ? undefined : 1),
    colors: [...colors].sort(),
    determiner,
  };
}

const isPlural = (noun: Word, number: number | undefined, concept: string | undefined): boolean =>
  number === undefined
    ? noun.text !== noun.lemma && !(concept !== undefined && pluralNames.has(concept))
    : number > 1;

const isColorHere = (words: readonly Word[], index: number): boolean =>
  words[index]!.text !== "orange" || words[index + 1]?.text !== "juice";

function isNoun(words: readonly Word[], index: number): boolean {
  const word = words[index]!;
  if (word.pos !== "NOUN" && word.pos !== "PROPN") {
    // "swimming pool", and nouns of the table that the tagger takes for a verb: "stairs", "skis".
    return (
      word.pos === "VERB" &&
      !/(ed|ing)$/.test(word.text) &&
      !isVerbAt(words, index) &&
      conceptNamed(word.lemma) !== undefined
    );
  }
  return !isVerbAt(words, index);
}

/** "punching" of "a woman punching a ball", which the tagger may take for a noun. */
const isParticiple = ({ text, lemma }: Word): boolean =>
  /(ing|ed)$/.test(text) && text.length > 5 && conceptNamed(lemma) === undefined && !nounsInIng.has(text);

const nounsInIng = new Set(
  "clothing building railing string wedding covering painting ceiling opening".split(" "),
);
