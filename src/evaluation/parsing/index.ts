export { chosenOption, splitOptions } from "./chosen-option.ts";
export { type EnglishWord, englishWords } from "./english-words.ts";
export { statedLetter } from "./letter.ts";
export { englishNouns } from "./nouns.ts";
export { numberWords } from "./number-words.ts";
export { plainAnswer } from "./plain-answer.ts";
export { remember } from "./remember.ts";
export { normalizeEvalAiAnswer } from "./vqa-normalizer.ts";
