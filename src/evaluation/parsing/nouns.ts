import { englishWords } from "./english-words.ts";

/** The nouns of an English text, lower-case and in the singular. */
export const englishNouns = (text: string): string[] =>
  englishWords(text)
    .filter(({ part }) => part === "NOUN" || part === "PROPN")
    .map(({ lemma }) => lemma);
