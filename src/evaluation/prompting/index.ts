export { flattenPrompt, PromptHash } from "./prompt-hash.ts";
export { question } from "./question.ts";
export {
  chineseLetterSuffix,
  letteredOptions,
  letterSuffix,
  letters,
  shortAnswerSuffix,
  unanswerableSuffix,
} from "./response-format.ts";
