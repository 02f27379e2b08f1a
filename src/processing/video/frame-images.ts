import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { ImageSource, VideoFrames } from "../../protocol/index.ts";
import { openImage, type RgbImage } from "../image/index.ts";
import { type OpenedVideo, requireSize, type VideoOptions, videoError } from "./opened-video.ts";

/** How many frames a second folders of them hold where nobody says: ShareGPTVideo's do. */
const RATE = 2;

const imageSuffix = /\.(?:jpe?g|png|webp|bmp|tiff?|avif|ppm|gif)$/i;

/**
 * A video as a folder of images, in the order of their names, numbers in them by their value. Other files are not frames.
 * @throws LlavaError "video" for a folder without any
 */
export async function openFolder(folder: string, options: VideoOptions): Promise<OpenedVideo> {
  const where = options.where ?? folder;
  const names = (await readdir(folder)).filter((name) => imageSuffix.test(name) && !name.startsWith("."));
  if (names.length === 0)
    throw videoError(
      `${where}: the folder holds no frames`,
      "A folder of a video holds images, one a frame.",
    );
  const frames = names.sort(byNumbers).map((name) => join(folder, name));
  return openFrames({ frames }, { ...options, where });
}

/** A video as images. @throws LlavaError "video" where there is none, "image" for a first one that is none */
export async function openFrames(
  { frames, framesPerSecond: rate = RATE }: VideoFrames,
  options: VideoOptions = {},
): Promise<OpenedVideo> {
  const { where = `a video of ${frames.length} frames`, maxPixels } = options;
  if (frames.length === 0) throw videoError(`${where}: it has no frames`, "Give one image or more.");
  const open = (index: number) => openImage(frames[index]!, imageOptions(frames[index]!, options));
  const { size } = await open(0);
  requireSize(size, where, maxPixels);
  return {
    where,
    size,
    rate,
    times: frames.map((_, index) => index / rate),
    async *frames(indices) {
      let held: { readonly index: number; readonly image: RgbImage } | undefined;
      for (const index of indices) {
        if (held?.index !== index) held = { index, image: await (await open(index)).decode() };
        yield held.image;
      }
    },
  };
}

const imageOptions = (source: ImageSource, { signal, maxPixels }: VideoOptions) => ({
  ...(typeof source === "string" && { where: source }),
  ...(signal && { signal }),
  ...(maxPixels !== undefined && { maxPixels }),
});

/** "frame_9" before "frame_10"; names without a number between them as their characters are. */
function byNumbers(one: string, other: string): number {
  const parts = (name: string) => name.split(/(\d+)/);
  const [ones, others] = [parts(one), parts(other)];
  for (let at = 0; at < Math.max(ones.length, others.length); at++) {
    const [a = "", b = ""] = [ones[at], others[at]];
    if (a === b) continue;
    if (at % 2 === 1 && Number(a) !== Number(b)) return Number(a) - Number(b);
    return a < b ? -1 : 1;
  }
  return 0;
}
