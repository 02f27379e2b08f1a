import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { readDataFile, unreadable } from "../../files/index.ts";
import { checked, parsed } from "../checked.ts";
import { flickrCaption, captionHint as hint } from "./flickr8k.ts";
import type { CaptionedPhoto } from "./scene.ts";

const coco = z.object({
  images: z.array(z.object({ id: z.number(), file_name: z.string() })),
  annotations: z.array(z.object({ image_id: z.number(), caption: z.string() })),
});
const row = z.object({
  image: z.string(),
  conversations: z.array(z.object({ from: z.string(), value: z.string() })).length(2),
});

/**
 * Photos with all their captions, in the file's order: Flickr8k's token file, COCO's captions JSON, or LLaVA rows (JSON
 * or a row a line). `only` leaves out all other images. @throws LlavaError "data" naming file and line or row
 */
export async function readCaptions(path: string, only?: ReadonlySet<string>): Promise<CaptionedPhoto[]> {
  const photos = new Map<string, string[]>();
  const add = (image: string, caption: string): void => {
    if (only !== undefined && !only.has(image)) return;
    const captions = photos.get(image);
    if (captions === undefined) photos.set(image, [caption]);
    else captions.push(caption);
  };
  if (/\.jsonl?$/.test(path)) await readJson(path, add);
  else await readTokenFile(path, add);
  const missing = only === undefined ? [] : [...only].filter((image) => !photos.has(image));
  if (missing.length > 0)
    throw new LlavaError(
      "data",
      `${path}: no caption for ${missing.length} images of the list, such as ${missing[0]}`,
      {
        hint: "The list names images as the caption file does.",
      },
    );
  return [...photos].map(([image, captions]) => ({ image, captions }));
}

type Add = (image: string, caption: string) => void;

async function readTokenFile(path: string, add: Add): Promise<void> {
  let number = 0;
  for await (const line of linesOf(path)) {
    const found = flickrCaption(line, `${path}:${++number}`);
    if (found !== undefined) add(found.image, found.caption);
  }
}

async function readJson(path: string, add: Add): Promise<void> {
  const text = await readDataFile(path);
  const isLines = !/^\s*\[/.test(text) && /^\s*\{.*\}\s*\n\s*\{/.test(text);
  const value: unknown = isLines
    ? text
        .split("\n")
        .flatMap((line, i) => (line.trim() === "" ? [] : [parsed(line, `${path}:${i + 1}`, hint)]))
    : parsed(text, path, hint);
  if (!Array.isArray(value)) {
    const { images, annotations } = checked(coco, value, path, hint);
    const names = new Map(images.map(({ id, file_name }) => [id, file_name]));
    for (const [i, { image_id, caption }] of annotations.entries()) {
      const image = names.get(image_id);
      if (image === undefined)
        throw new LlavaError("data", `${path}: annotation ${i + 1}: there is no image ${image_id}`, { hint });
      add(image, caption);
    }
    return;
  }
  for (const [i, entry] of value.entries()) {
    const { image, conversations } = checked(row, entry, `${path}: row ${i + 1}`, hint);
    add(image, conversations[1]!.value);
  }
}

/** Lines of a file of any length. @throws LlavaError "data" if it cannot be read */
export async function* linesOf(path: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw unreadable(path, cause);
  }
}
