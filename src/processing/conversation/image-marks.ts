import type { ContentPart, ImageSource } from "../../protocol/index.ts";
import { requireImageCount } from "./prompt.ts";

/** What stands in a text where an image goes. */
export const imageMark = "<image>";

export const countImageMarks = (text: string): number => text.split(imageMark).length - 1;

/**
 * A text with `<image>` marks as the parts of a message, its images in order. As in LLaVA's training a single image goes
 * first, wherever its mark stands, and the text is trimmed; of several, each keeps its place. The line break behind a mark
 * belongs to the mark: prompt formats write their own, so that marks and images given beside the text make one prompt.
 * Throws `prompt`, naming both numbers, unless every image has its mark.
 */
export function markedParts(text: string, images: readonly ImageSource[]): ContentPart[] {
  const chunks = text.split(imageMark);
  requireImageCount(chunks.length - 1, images.length);
  const part = (chunk: string): ContentPart[] => (chunk === "" ? [] : [{ type: "text", text: chunk }]);
  if (images.length === 0) return part(text);
  if (images.length === 1) return [{ type: "image", image: images[0]! }, ...part(chunks.join("").trim())];
  return chunks.flatMap((chunk, index) =>
    index === 0
      ? part(chunk)
      : [{ type: "image" as const, image: images[index - 1]! }, ...part(chunk.replace(/^\n(?!\s)/, ""))],
  );
}
