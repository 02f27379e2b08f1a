import type { Message } from "../protocol/index.ts";

/** What LLaVA appends to a question that a word or two answer (Liu et al. 2023, "Improved Baselines", section 3.2). */
export const shortAnswer = "\nAnswer the question using a single word or phrase.";

/** What LLaVA appends to a question with lettered options. */
export const optionLetter = "\nAnswer with the option's letter from the given choices directly.";

/** "A", "B", …, one for each of `count` options. */
export const letters = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => String.fromCharCode(65 + index));

/** "A. first\nB. second" */
export const letteredOptions = (options: readonly string[]): string =>
  options.map((option, index) => `${letters(options.length)[index]}. ${option}`).join("\n");

/** One user turn: the images, then the text. */
export const ask = (images: readonly string[], text: string): Message[] => [
  {
    role: "user",
    content: [...images.map((image) => ({ type: "image" as const, image })), { type: "text", text }],
  },
];
