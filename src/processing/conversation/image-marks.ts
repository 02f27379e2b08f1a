import type { ImagePart, ImageSource, TextPart } from "../../protocol/index.ts";
import type { ImageSlot } from "./messages.ts";
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
export const markedParts = (text: string, images: readonly ImageSource[]): (TextPart | ImagePart)[] =>
  placedParts(
    text,
    images.map((image) => ({ type: "image", image })),
  );

/** The same with a slot for each mark. */
export const slottedParts = (text: string): (TextPart | ImageSlot)[] =>
  placedParts(text, Array(countImageMarks(text)).fill({ type: "image" }));

function placedParts<Image extends ImageSlot>(text: string, images: readonly Image[]): (TextPart | Image)[] {
  const chunks = text.split(imageMark);
  requireImageCount(chunks.length - 1, images.length);
  const part = (chunk: string): TextPart[] => (chunk === "" ? [] : [{ type: "text", text: chunk }]);
  if (images.length === 0) return part(text);
  if (images.length === 1) return [images[0]!, ...part(chunks.join("").trim())];
  return chunks.flatMap((chunk, index) =>
    index === 0 ? part(chunk) : [images[index - 1]!, ...part(chunk.replace(/^\n(?!\s)/, ""))],
  );
}
