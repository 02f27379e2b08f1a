import { commonConcept, isAgent } from "../language/concepts.ts";
import type { Reader, Word } from "../language/english-reader.ts";
import { isVerbAt, type NounPhrase, nounPhrases } from "../language/noun-phrases.ts";
import { verbForm } from "../language/verbs.ts";

/** Someone does something: "a boy riding a bike". */
export interface Action {
  readonly verb: string;
  /** Who does it, where the caption says so. */
  readonly agent: { readonly concept: string; readonly plural: boolean } | undefined;
  /** What directly follows the verb, or the word at `preposition`. */
  readonly object: NounPhrase | undefined;
  /** "on" of "sitting on a bench". */
  readonly preposition: string | undefined;
}

/** What one caption says. */
export interface CaptionFacts {
  readonly words: readonly Word[];
  readonly phrases: readonly NounPhrase[];
  readonly actions: readonly Action[];
}

export function readCaption(caption: string, read: Reader): CaptionFacts {
  const words = read(caption);
  const phrases = nounPhrases(words);
  const actions = words.flatMap((_, i) => (isVerbAt(words, i) ? [actionAt(i, words, phrases)] : []));
  return { words, phrases, actions };
}

function actionAt(index: number, words: readonly Word[], phrases: readonly NounPhrase[]): Action {
  const { verb } = verbForm(words[index]!.text)!;
  let next = index + 1;
  let preposition: string | undefined;
  if (words[next]?.text === "up" || words[next]?.text === "down") next++;
  if (words[next]?.pos === "ADP") preposition = words[next++]!.text;
  const object = phrases.find(({ start }) => start === next);
  return { verb, agent: agentBefore(index, words, phrases), object, preposition };
}

/** The subject of the verb: the last one able to act, but not one that hangs on a preposition ("a man with a dog is …"). */
function agentBefore(index: number, words: readonly Word[], phrases: readonly NounPhrase[]): Action["agent"] {
  const able = phrases.filter(
    ({ end, concept }) => end <= index && concept !== undefined && isAgent(concept),
  );
  const nearest = able.at(-1);
  if (nearest === undefined || words.slice(nearest.end, index).some(({ text }) => text === "being"))
    return undefined;
  const adjoins = nearest.end === index && verbForm(words[index]!.text)?.form === "present";
  const free = able.filter(({ start }) => words[start - 1]?.pos !== "ADP");
  const subject = adjoins ? nearest : free.at(-1);
  if (subject === undefined) return undefined;
  const position = able.indexOf(subject);
  const other = able[position - 1];
  const paired =
    other !== undefined &&
    words[subject.start - 1]?.text === "and" &&
    (other.end === subject.start - 1 || words.slice(subject.end, index).some(({ text }) => text === "are"));
  if (!paired) return { concept: subject.concept!, plural: subject.plural };
  const concept = commonConcept([subject.concept!, other.concept!]);
  return concept === undefined || concept === "animal" ? undefined : { concept, plural: true };
}
