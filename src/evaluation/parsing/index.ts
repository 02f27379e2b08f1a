export { type AccuracyOptions, accuracyByLabel } from "./accuracy-by-label.ts";
export { anls, editDistance } from "./anls.ts";
export { chosenOption, splitOptions } from "./chosen-option.ts";
export { type EnglishWord, englishWords } from "./english-words.ts";
export { leadingLetter, statedLetter } from "./letter.ts";
export { englishNouns } from "./nouns.ts";
export { numberWords } from "./number-words.ts";
export { percentage } from "./percentage.ts";
export { plainAnswer } from "./plain-answer.ts";
export { pythonFloat, pythonFloatText, pythonInteger } from "./python-number.ts";
export { PythonRandom } from "./python-random.ts";
export { pythonStrings } from "./python-strings.ts";
export { pythonText } from "./python-text.ts";
export { question } from "./question.ts";
export { remember } from "./remember.ts";
export {
  chineseLetterSuffix,
  letteredOptions,
  letterSuffix,
  letters,
  shortAnswerSuffix,
  unanswerableSuffix,
} from "./response-format.ts";
export { roundHalfEven } from "./round.ts";
export { known, listAnswers } from "./truth.ts";
export { textVqaCredit, vqaCredit } from "./vqa-accuracy.ts";
export { normalizeEvalAiAnswer, normalizeVqaAnswer } from "./vqa-normalizer.ts";
