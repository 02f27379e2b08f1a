import { LlavaError } from "../../errors.ts";
import { sentenceOf } from "../language/grammar.ts";
import type { ConversationRow } from "../rows.ts";

/**
 * Turns a caption file of Flickr8k (lines of `image.jpg#0<tab>caption`) into LLaVA rows, those of the images that a
 * split lists (lines of `image.jpg`), in the split's order. Captions become sentences: punctuation is joined to its word,
 * the first letter is a capital, a full stop ends them.
 */
export function flickrRows(captionFile: string, splitFile: string, where: string): ConversationRow[] {
  const lines = captionFile.split("\n");
  const captions = lines.flatMap((line, i) => flickrCaption(line, `${where}:${i + 1}`) ?? []);
  const byImage = Map.groupBy(captions, ({ image }) => image);
  const images = splitFile.split("\n").flatMap((line) => line.trim() || []);
  return images.flatMap((image) =>
    (byImage.get(image) ?? []).map(({ number, caption }) => ({
      id: `${image.replace(/\.\w+$/, "")}#${number}`,
      image,
      conversations: [
        { from: "human" as const, value: "<image>" },
        { from: "gpt" as const, value: sentenceOf(caption, { joinsQuotes: false }) },
      ],
    })),
  );
}

/** A line of Flickr8k's token file; undefined for an empty one. @throws LlavaError "data" for one of another form */
export function flickrCaption(line: string, where: string) {
  if (line.trim() === "") return undefined;
  const [, image, number, caption] = /^(.+)#(\d+)\t(.+)$/.exec(line.trimEnd()) ?? [];
  if (image !== undefined && number !== undefined && caption !== undefined) return { image, number, caption };
  throw new LlavaError("data", `${where}: expected "image.jpg#0<tab>caption", got "${line}"`, {
    hint: captionHint,
  });
}

export const captionHint =
  'Takes lines of "image.jpg#0<tab>caption" (Flickr8k), captions JSON of COCO, or LLaVA rows with an image and one caption each.';
