/** What a question ends with, so that the model answers in the form that its scorer reads. */

/** After lettered options in Chinese. */
export const chineseLetterPrompt = "\n请直接回答选项字母。";

/** Before `shortAnswerPrompt`, where some questions have no answer (VizWiz). */
export const unanswerablePrompt =
  "\nWhen the provided information is insufficient, respond with 'Unanswerable'.";

/** A text without what it may end with. */
export const withoutSuffix = (text: string, suffix: string): string =>
  text.endsWith(suffix) ? text.slice(0, text.length - suffix.length) : text;

export const letters: readonly string[] = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/** "A. chiasmus", a line each. */
export const letteredOptions = (options: readonly string[]): string =>
  options.map((option, index) => `${letters[index]}. ${option}`).join("\n");
