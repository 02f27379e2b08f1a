import { mulberry32, pick, seedOfText } from "../../random/index.ts";
import type { Reader } from "../language/english-reader.ts";
import { briefInstructions, type ConversationRow } from "../rows.ts";
import { ConceptFilter, type ConceptFilterOptions, type Selection } from "./concept-filter.ts";
import { phrasesOf } from "./phrases.ts";
import { type CaptionRecord, captionRecords } from "./records.ts";

/** Reads all captions of a file and chooses among them; `onCaption` is called after each. */
export async function selectCaptions(
  path: string,
  read: Reader,
  options: ConceptFilterOptions,
  onCaption?: () => void,
): Promise<Selection> {
  const filter = new ConceptFilter();
  for await (const { caption } of captionRecords(path)) {
    filter.add(phrasesOf(caption, read));
    onCaption?.();
  }
  return filter.select(options);
}

/** The chosen captions, read from the file once more. */
export async function* chosenRecords(path: string, { chosen }: Selection): AsyncGenerator<CaptionRecord> {
  let index = 0;
  for await (const record of captionRecords(path)) if (chosen[index++] === 1) yield record;
}

/** A row for stage 1, in the form of LLaVA's blip_laion_cc_sbu_558k.json: the image before or after the instruction. */
export function captionRow(
  { id, image, caption, blipCaption }: CaptionRecord,
  seed: number,
): ConversationRow {
  const random = mulberry32(seedOfText(seed, id));
  const instruction = pick(briefInstructions, random);
  const value = random() < 0.5 ? `<image>\n${instruction}` : `${instruction}\n<image>`;
  return {
    id,
    image,
    conversations: [
      { from: "human", value },
      { from: "gpt", value: (blipCaption ?? caption).trim() },
    ],
  };
}

/** An entry of the file beside the rows: where each came from. */
export const metaEntry = ({ id, image, caption, blipCaption, url }: CaptionRecord) => ({
  id,
  image,
  caption,
  ...(blipCaption === undefined ? {} : { blip_caption: blipCaption }),
  ...(url === undefined ? {} : { url }),
});

/** For frequencies 1, 2, 4, … the number of phrases in at least that many captions. */
export function coverage(frequency: Uint32Array): { frequency: number; phrases: number }[] {
  const most = frequency.reduce((max, value) => Math.max(max, value), 1);
  const steps = Array.from({ length: Math.floor(Math.log2(most) * 4) + 1 }, (_, i) =>
    Math.round(2 ** (i / 4)),
  );
  const sorted = frequency.slice().sort();
  return [...new Set(steps)].map((step) => ({
    frequency: step,
    phrases: sorted.length - lowerBound(sorted, step),
  }));
}

/** Index of the first value that is not below `limit`. */
function lowerBound(sorted: Uint32Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
