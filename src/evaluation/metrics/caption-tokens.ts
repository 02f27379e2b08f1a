/**
 * Words of a caption as the COCO caption evaluation counts them: Penn Treebank tokens, lower-cased, punctuation left out
 * (Chen et al. 2015, "Microsoft COCO Captions", section 4.1). Follows the Stanford tokenizer in what captions contain;
 * it does not resolve web addresses, emoticons or SGML.
 */
export function captionTokens(caption: string): string[] {
  const text = caption.replaceAll(/[\u2018\u2019\u00b4]/g, "'").replaceAll(/[\u2013\u2014]/g, " -- ");
  const tokens: string[] = [];
  for (const [token] of text.matchAll(tokenPattern)) {
    const lower = token.toLowerCase();
    if (!punctuation.has(lower)) tokens.push(...splitWord(lower));
  }
  return tokens;
}

const abbreviations = [
  "ave|blvd|bldg|co|corp|dept|dr|etc|ft|gov|inc|jr|ltd|messrs|mr|mrs|ms|mt|no|prof|rd|rev|sen|sgt|sr|st|vs",
  "jan|feb|mar|apr|aug|sept?|oct|nov|dec|ky|fla|calif|conn|mass|tenn",
].join("|");

const tokenPattern = new RegExp(
  [
    "\\p{L}(?:\\.\\p{L})+(?!\\p{L})\\.?", // U.S. and t.v., with the last period
    `(?i:${abbreviations})\\.(?![\\p{L}\\d])`,
    "\\p{Lu}\\.(?=\\s+\\S)", // an initial, not the last word
    "\\d+(?::\\d+)+", // also the 5:54 of 5:54pm
    "\\d+(?:[.,:/-]\\d+)*(?![\\p{L}\\d-])",
    "[\\p{L}\\p{M}\\d]+(?:[-'./][\\p{L}\\p{M}\\d]+)*",
    "'(?i:n'|(?:s|m|d|re|ve|ll)(?!\\p{L}))", // rock 'n' roll, and a contraction that stands alone
    "\\.\\.\\.|--|\\S",
  ].join("|"),
  "gu",
);

const punctuation = new Set([
  "'",
  "`",
  ".",
  "?",
  "!",
  ",",
  ":",
  "-",
  "--",
  "...",
  ";",
  '"',
  "\u201c",
  "\u201d",
]);

const brackets: Readonly<Record<string, string>> = {
  "(": "-lrb-",
  ")": "-rrb-",
  "[": "-lsb-",
  "]": "-rsb-",
  "{": "-lcb-",
  "}": "-rcb-",
};

const fusedWords: Readonly<Record<string, readonly [string, string]>> = {
  cannot: ["can", "not"],
  gonna: ["gon", "na"],
  gotta: ["got", "ta"],
  wanna: ["wan", "na"],
  gimme: ["gim", "me"],
  lemme: ["lem", "me"],
};

/** Splits a contraction or fused word in two, and names brackets. */
function splitWord(word: string): readonly string[] {
  const bracket = brackets[word];
  if (bracket !== undefined) return [bracket];
  const fused = fusedWords[word];
  if (fused !== undefined) return fused;
  const contraction = /^(.+?)(n't|'(?:s|m|d|re|ve|ll))$/u.exec(word);
  return contraction === null ? [word] : [contraction[1]!, contraction[2]!];
}
