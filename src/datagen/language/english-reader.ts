import model from "wink-eng-lite-web-model";
import winkNLP, { type ItsFunction } from "wink-nlp";

/** One word of a caption. */
export interface Word {
  /** In lower case. */
  readonly text: string;
  readonly lemma: string;
  /** Universal part of speech: "NOUN", "VERB", "ADJ", … */
  readonly pos: string;
}

/** Splits a caption into words with their lemmas and parts of speech. */
export type Reader = (caption: string) => Word[];

/** A reader of English, by wink-nlp. Loading it takes a moment, so it is made once and handed on. */
export function englishReader(): Reader {
  const wink = winkNLP(model, ["pos"]);
  const { its } = wink;
  return (caption) => {
    // Hyphens would be words of their own: "t-shirt" is one.
    const tokens = wink.readDoc(caption.toLowerCase().replace(/\bt-shirt/g, "tshirt")).tokens();
    const texts = tokens.out() as string[];
    const parts = tokens.out(its.pos) as string[];
    // Typed for an addon that this model does not need.
    const lemmas = tokens.out(its.lemma as ItsFunction<string>) as string[];
    return texts.map((text, i) => ({ text, lemma: lemmas[i]!, pos: parts[i]! }));
  };
}
