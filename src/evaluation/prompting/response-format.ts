/** What a question ends with, so that the model answers in the form that its scorer reads. */

/** After questions with short answers. */
export const shortAnswerSuffix = "\nAnswer the question using a single word or phrase.";

/** After lettered options. */
export const letterSuffix = "\nAnswer with the option's letter from the given choices directly.";

/** After lettered options in Chinese. */
export const chineseLetterSuffix = "\n请直接回答选项字母。";

/** Before `shortAnswerSuffix`, where some questions have no answer (VizWiz). */
export const unanswerableSuffix =
  "\nWhen the provided information is insufficient, respond with 'Unanswerable'.";

export const letters: readonly string[] = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/** "A. chiasmus", a line each. */
export const letteredOptions = (options: readonly string[]): string =>
  options.map((option, index) => `${letters[index]}. ${option}`).join("\n");
