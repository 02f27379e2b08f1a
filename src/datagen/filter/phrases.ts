import type { Reader } from "../language/english-reader.ts";
import { nounPhrases } from "../language/noun-phrases.ts";

const leading = /^(a|an|the|his|her|its|their|this|that|another|each|some|several|many)$/;

/** Noun phrases of a caption, without determiners, each once: "a red kite", "kites" → "red kite", "kites". */
export function phrasesOf(caption: string, read: Reader): string[] {
  const words = read(caption);
  const phrases = nounPhrases(words).map(({ start, end }) => {
    const texts = words.slice(start, end).map(({ text }) => text);
    while (texts.length > 1 && leading.test(texts[0]!)) texts.shift();
    return texts.join(" ");
  });
  return [...new Set(phrases)];
}
