import model from "wink-eng-lite-web-model";
import winkNLP, { type ItsFunction } from "wink-nlp";

/** A word or a mark of an English text. */
export interface EnglishWord {
  /** In lower case. */
  readonly text: string;
  /** Universal part of speech: "NOUN", "VERB", "PUNCT". */
  readonly part: string;
  readonly lemma: string;
  /** By Porter's second algorithm. */
  readonly stem: string;
}

let reader: ((text: string) => EnglishWord[]) | undefined;

/** The words of an English text in lower case, where no capital makes a name of a noun, by wink-nlp, which is loaded when first asked. */
export function englishWords(text: string): EnglishWord[] {
  reader ??= makeReader();
  return reader(text);
}

function makeReader(): (text: string) => EnglishWord[] {
  const wink = winkNLP(model, ["pos"]);
  const { its } = wink;
  return (text) => {
    const tokens = wink.readDoc(text.toLowerCase()).tokens();
    const parts = tokens.out(its.pos) as string[];
    // Typed for an addon that this model does not need.
    const lemmas = tokens.out(its.lemma as ItsFunction<string>) as string[];
    const stems = tokens.out(its.stem as ItsFunction<string>) as string[];
    return (tokens.out() as string[]).map((word, index) => ({
      text: word,
      part: parts[index]!,
      lemma: lemmas[index]!,
      stem: stems[index]!,
    }));
  };
}
