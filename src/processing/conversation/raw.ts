import { chunksAtMarks, mediaAtMarks } from "./image-marks.ts";
import type { MediaSlot } from "./messages.ts";
import type { PromptPiece } from "./prompt.ts";

/**
 * A prompt given word for word: `<image>` is where an image goes, and `<video>` where a video does (see `mediaAtMarks`);
 * special strings are special tokens. Throws `prompt` unless there are as many placeholders as images and videos.
 */
export function rawPrompt(text: string, media: readonly MediaSlot[]): PromptPiece[] {
  const order = mediaAtMarks(text, media);
  return chunksAtMarks(text, media).flatMap((chunk, index): PromptPiece[] => [
    ...(index > 0 ? [{ image: order[index - 1]! }] : []),
    ...(chunk !== "" ? [{ text: chunk, special: true }] : []),
  ]);
}
