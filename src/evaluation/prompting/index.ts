export { flattenPrompt, PromptHash } from "./prompt-hash.ts";
export { question, videoQuestion } from "./question.ts";
export {
  chineseLetterPrompt,
  letteredOptions,
  letters,
  unanswerablePrompt,
} from "./response-format.ts";
