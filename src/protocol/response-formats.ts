/** What LLaVA-1.5 appends to a question so that the answer comes in a form (arXiv 2310.03744, section 3.2): trained with and asked alike. */

/** After questions that want a short answer. */
export const shortAnswerPrompt = "\nAnswer the question using a single word or phrase.";

/** After questions with lettered options. */
export const letterPrompt = "\nAnswer with the option's letter from the given choices directly.";
