import { installedWordNet } from "../../metrics/index.ts";
import { type EnglishWord, englishWords, remember } from "../../parsing/index.ts";

/**
 * Words that say nothing about an answer: common ones, but none of those that say where, which way, when or how many.
 * The list of lmms-eval.
 */
const stopWords = new Set(
  `
i me my myself we our ours ourselves you you're you've you'll you'd your yours yourself yourselves he him
his himself she she's her hers herself it it's its itself they them their theirs themselves what which who
whom this that that'll these those am is are was were be been being have has had having do does did doing a
an the and but if or because as until while to from of at for with about into through during again further
then here there when where why how all any each most other some such only own so than too very s t can will
just don don't should should've now d ll m o re ve y ain aren aren't couldn couldn't didn didn't doesn
doesn't hadn hadn't hasn hasn't haven haven't isn isn't ma mightn mightn't mustn mustn't needn needn't shan
shan't shouldn shouldn't wasn wasn't weren weren't won won't wouldn wouldn't`
    .trim()
    .split(/\s+/),
);

/** The base form; for a word that WordNet does not have, its stem if WordNet has that. */
function baseForm({ text, lemma, stem }: EnglishWord): string {
  const wordNet = installedWordNet();
  if (wordNet.first(lemma)) return lemma;
  return wordNet.first(stem) ? stem : text;
}

const isWord = ({ part }: EnglishWord): boolean => part !== "PUNCT" && part !== "SPACE";

/** Marks at the end of a word would make abbreviations of some: "No." */
const withoutMarks = (answer: string): string => answer.replace(/[.,:;!?]+(?=\s|$)/g, " ");

/** The words of an answer that count: base forms in lower case, without stop words and punctuation. */
export const contentWords = remember((answer) =>
  englishWords(withoutMarks(answer))
    .filter(isWord)
    .map(baseForm)
    .filter((word) => !stopWords.has(word)),
);
