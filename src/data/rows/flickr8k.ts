import { LlavaError } from "../../errors.ts";
import type { RowTurn } from "../../protocol/index.ts";

/** A row as a file has it. */
export interface CaptionRow {
  readonly id: string;
  readonly image: string;
  readonly conversations: readonly RowTurn[];
}

/**
 * Turns a caption file of Flickr8k (lines of `image.jpg#0<tab>caption`) into LLaVA rows, those of the images that a
 * split lists (lines of `image.jpg`), in the split's order. Captions become sentences: punctuation is joined to its word,
 * the first letter is a capital, a full stop ends them.
 */
export function flickrRows(captionFile: string, splitFile: string, where: string): CaptionRow[] {
  const byImage = new Map<string, { number: string; caption: string }[]>();
  for (const [i, line] of captionFile.split("\n").entries()) {
    if (line.trim() === "") continue;
    const match = /^(.+)#(\d+)\t(.+)$/.exec(line.trimEnd());
    if (match === null)
      throw new LlavaError("data", `${where}:${i + 1}: expected "image.jpg#0<tab>caption", got "${line}"`);
    const captions = byImage.get(match[1]!) ?? [];
    captions.push({ number: match[2]!, caption: asSentence(match[3]!) });
    byImage.set(match[1]!, captions);
  }
  const images = splitFile.split("\n").flatMap((line) => line.trim() || []);
  return images.flatMap((image) =>
    (byImage.get(image) ?? []).map(({ number, caption }) => ({
      id: `${image.replace(/\.\w+$/, "")}#${number}`,
      image,
      conversations: [
        { from: "human" as const, value: "<image>" },
        { from: "gpt" as const, value: caption },
      ],
    })),
  );
}

/** "a dog , running ." → "A dog, running." */
function asSentence(caption: string): string {
  const joined = caption
    .replace(/\s+/g, " ")
    .replace(/ ([.,;:!?])/g, "$1")
    .replace(/ (n't|'s|'re|'m|'ll|'ve|'d)\b/g, "$1")
    .trim();
  const ended = /[.!?]["']?$/.test(joined) ? joined : `${joined.replace(/[,;:]$/, "")}.`;
  return ended.charAt(0).toUpperCase() + ended.slice(1);
}
