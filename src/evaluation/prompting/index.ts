export { flattenPrompt, PromptHash } from "./prompt-hash.ts";
export { question, videoQuestion } from "./question.ts";
export {
  chineseLetterPrompt,
  letteredOptions,
  letters,
  unanswerablePrompt,
  withoutSuffix,
} from "./response-format.ts";
