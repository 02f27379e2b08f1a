import { type PromptPiece, requireImageCount } from "./prompt.ts";

/**
 * A prompt given word for word: `<image>` is where an image goes, special strings are special tokens.
 * Throws `prompt` unless there are as many placeholders as images.
 */
export function rawPrompt(text: string, imageCount: number): PromptPiece[] {
  const chunks = text.split("<image>");
  requireImageCount(chunks.length - 1, imageCount);
  return chunks.flatMap((chunk, index): PromptPiece[] => [
    ...(index > 0 ? [{ image: index - 1 }] : []),
    ...(chunk !== "" ? [{ text: chunk, special: true }] : []),
  ]);
}
