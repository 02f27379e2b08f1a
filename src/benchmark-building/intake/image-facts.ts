import { readFile, stat } from "node:fs/promises";
import { LlavaError } from "../../errors.ts";
import { sha256, unreadable } from "../../files/index.ts";
import { decodeImage, tellsPlace } from "../../processing/image/index.ts";
import type { Kept } from "../kept.ts";
import { pictureOf, pictureSide } from "../likeness/index.ts";
import type { ImageFacts } from "./item.ts";

const pictureBytes = 3 * pictureSide * pictureSide;

export interface KnownImage extends ImageFacts {
  /** 64×64 RGB. */
  readonly picture: Uint8Array;
}

/**
 * What is to know of an image file, read once: a file of the same name, size and time is not read again.
 * @throws LlavaError "image" for one that cannot be decoded whole
 */
export async function imageFacts(path: string, kept: Kept): Promise<KnownImage> {
  const info = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause, "image");
  });
  const key = `${path} ${info.size} ${info.mtimeMs}`;
  const known = kept.get("image", key);
  if (known !== undefined) return read(known);
  const entry = await look(path);
  kept.put("image", key, entry);
  return read(entry);
}

/** The picture, and after it the facts or what is wrong with the file. */
async function look(path: string): Promise<Uint8Array> {
  try {
    const bytes = await readFile(path);
    const image = await decodeImage(bytes, { where: path });
    const facts: ImageFacts = {
      width: image.width,
      height: image.height,
      file: sha256(bytes),
      pixels: sha256(image.data),
      tellsPlace: await tellsPlace(bytes),
    };
    return Buffer.concat([pictureOf(image), Buffer.from(JSON.stringify(facts))]);
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
    const problem = { problem: error.message, hint: error.hint };
    return Buffer.concat([new Uint8Array(pictureBytes), Buffer.from(JSON.stringify(problem))]);
  }
}

function read(entry: Uint8Array): KnownImage {
  const facts = JSON.parse(Buffer.from(entry.subarray(pictureBytes)).toString());
  if ("problem" in facts)
    throw new LlavaError("image", facts.problem, facts.hint === undefined ? {} : { hint: facts.hint });
  return { ...(facts as ImageFacts), picture: Uint8Array.from(entry.subarray(0, pictureBytes)) };
}
