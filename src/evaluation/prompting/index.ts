export { flattenPrompt, PromptHash } from "./prompt-hash.ts";
export { question } from "./question.ts";
export {
  chineseLetterPrompt,
  letteredOptions,
  letters,
  unanswerablePrompt,
} from "./response-format.ts";
