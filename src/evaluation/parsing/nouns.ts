import model from "wink-eng-lite-web-model";
import winkNLP, { type ItsFunction } from "wink-nlp";

let reader: ((text: string) => string[]) | undefined;

/** The nouns of an English text, lower-case and in the singular, by wink-nlp, which is loaded when first asked. */
export function englishNouns(text: string): string[] {
  reader ??= makeReader();
  return reader(text);
}

function makeReader(): (text: string) => string[] {
  const wink = winkNLP(model, ["pos"]);
  const { its } = wink;
  return (text) => {
    // A capital makes it a name, which has no singular.
    const tokens = wink.readDoc(text.toLowerCase()).tokens();
    const parts = tokens.out(its.pos) as string[];
    // Typed for an addon that this model does not need.
    const lemmas = tokens.out(its.lemma as ItsFunction<string>) as string[];
    return lemmas.filter((_, index) => parts[index] === "NOUN" || parts[index] === "PROPN");
  };
}
