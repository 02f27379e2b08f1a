import {
  type ImagePart,
  isVideo,
  type MediaSource,
  mediaPart,
  type TextPart,
  type VideoPart,
} from "../../protocol/index.ts";
import type { MediaSlot } from "./messages.ts";
import { requireImageCount } from "./prompt.ts";

/** What stands in a text where an image goes. */
export const imageMark = "<image>";

/** Where a video goes, in a prompt with videos; in one without it is a word like others. */
export const videoMark = "<video>";

/** How many marks a text has; those of videos count where there are videos. */
export const countImageMarks = (text: string, media: readonly MediaSlot[] = []): number =>
  text.split(marksOf(media)).length - 1;

const marksOf = (media: readonly MediaSlot[]): RegExp =>
  media.some(({ type }) => type === "video") ? /<image>|<video>/ : /<image>/;

/**
 * Which of the media stands at each mark of a text. Where a video has its own mark, images and videos stand at theirs in
 * turn; else all stand at `<image>` in order, as the original code has it.
 * Throws `prompt`, naming both numbers, unless every medium has its mark.
 */
export function mediaAtMarks(text: string, media: readonly MediaSlot[]): number[] {
  const marks: readonly string[] = text.match(new RegExp(marksOf(media), "g")) ?? [];
  requireImageCount(marks.length, media.length);
  if (!marks.includes(videoMark)) return media.map((_, index) => index);
  const placesOf = (kind: MediaSlot["type"]) =>
    media.flatMap(({ type }, index) => (type === kind ? [index] : []));
  const [images, videos] = [placesOf("image"), placesOf("video")];
  requireImageCount(marks.filter((mark) => mark === imageMark).length, images.length);
  return marks.map((mark) => (mark === videoMark ? videos.shift()! : images.shift()!));
}

/** The parts of a text between marks. */
export const chunksAtMarks = (text: string, media: readonly MediaSlot[]): string[] =>
  text.split(marksOf(media));

/** What is to stand at marks. */
export const slotsOf = (media: readonly MediaSource[]): MediaSlot[] =>
  media.map((medium) => ({ type: isVideo(medium) ? "video" : "image" }));

/**
 * A text with `<image>` marks as the parts of a message, its images in order. As in LLaVA's training a single image goes
 * first, wherever its mark stands, and the text is trimmed; of several, each keeps its place. The line break behind a mark
 * belongs to the mark: prompt formats write their own, so that marks and images given beside the text make one prompt.
 * Throws `prompt`, naming both numbers, unless every image has its mark.
 */
export const markedParts = (
  text: string,
  media: readonly MediaSource[],
): (TextPart | ImagePart | VideoPart)[] => placedParts(text, media.map(mediaPart));

/** The same with a slot for each medium. */
export const slottedParts = (text: string, slots: readonly MediaSlot[]): (TextPart | MediaSlot)[] =>
  placedParts(text, slots);

function placedParts<Medium extends MediaSlot>(
  text: string,
  media: readonly Medium[],
): (TextPart | Medium)[] {
  const chunks = chunksAtMarks(text, media);
  const order = mediaAtMarks(text, media);
  const part = (chunk: string): TextPart[] => (chunk === "" ? [] : [{ type: "text", text: chunk }]);
  if (media.length === 0) return part(text);
  if (media.length === 1) return [media[0]!, ...part(chunks.join("").trim())];
  return chunks.flatMap((chunk, index) =>
    index === 0 ? part(chunk) : [media[order[index - 1]!]!, ...part(chunk.replace(/^\n(?!\s)/, ""))],
  );
}
