import { existsSync } from "node:fs";
import { openEncoded, type Transparency, type TransparentImage } from "../../processing/image/index.ts";
import type { MediumShape, Processor } from "../../processing/processor/index.ts";
import { openVideo } from "../../processing/video/index.ts";
import { undecodable } from "../loading/row-media.ts";

/** What was found of an image or a video that was decoded. */
export interface CheckedMedium {
  readonly problem?: { readonly kind: "missing" | "broken"; readonly message: string };
  readonly transparent?: TransparentImage;
  readonly shape?: MediumShape;
}

const missing = (path: string): CheckedMedium => ({
  problem: { kind: "missing", message: `${path} does not exist` },
});

const broken = (error: unknown): CheckedMedium => ({
  problem: { kind: "broken", message: undecodable(error).message },
});

/** Decodes the frames that a model's rule takes, or all of them. */
export async function checkVideo(path: string, processor: Processor | undefined): Promise<CheckedMedium> {
  if (!existsSync(path)) return missing(path);
  try {
    const video = await openVideo({ path });
    const sampled = processor?.sampleFrames(video);
    const all = video.times.map((_, index) => index);
    for await (const _ of video.frames(sampled?.indices ?? all));
    return { shape: { size: video.size, isVideo: true, ...(sampled && { sampled }) } };
  } catch (error) {
    return broken(error);
  }
}

/** Decodes an image, of a path or as it is encoded. */
export async function checkImage(
  input: string | Uint8Array,
  where: string,
  transparency: Transparency = "drop",
): Promise<CheckedMedium> {
  if (typeof input === "string" && !existsSync(input)) return missing(input);
  let transparent: TransparentImage | undefined;
  try {
    const onTransparency = (found: TransparentImage) => {
      transparent = found;
    };
    const opened = await openEncoded(input, { where, limits: {}, transparency, onTransparency });
    await opened.decode();
    return { shape: { size: opened.size }, ...(transparent && { transparent }) };
  } catch (error) {
    return broken(error);
  }
}
