import { readFile } from "node:fs/promises";
import type { RgbImage } from "../image/index.ts";
import { type OpenedVideo, requireSize, type VideoOptions, videoError } from "./opened-video.ts";

/** Browsers show a frame for so long whose file says 0; so does ffmpeg. */
const SHORTEST_DELAY = 100;

/** Frames of an animation are decoded together, each being painted over the one before. */
const MOST_VALUES = 3_000_000_000;

/** An empty block, and the mark of the end. */
const GIF_END = "\0;";
/** Some writers put a few bytes behind the end. */
const LONGEST_TAIL = 16;

/**
 * An animated GIF or WebP. Its frames are painted over each other, and alpha is dropped.
 * @throws LlavaError "video" for one that is damaged or too large to hold
 */
export async function openAnimation(
  path: string,
  { where = path, maxPixels }: VideoOptions,
): Promise<OpenedVideo> {
  const { default: sharp } = await import("sharp");
  const bytes = await readFile(path);
  const open = () => sharp(bytes, { pages: -1, limitInputPixels: false });
  const broken = (cause: unknown) =>
    videoError(
      `${where}: damaged or cut short: ${(cause as Error).message.split("\n")[0]}`,
      "Get the file again.",
      cause,
    );
  // The decoder takes a file that is cut off for one of fewer frames.
  if (
    bytes.toString("latin1", 0, 3) === "GIF" &&
    !bytes.subarray(-LONGEST_TAIL).includes(GIF_END, 0, "latin1")
  )
    throw broken(new Error("it has no end"));
  const {
    width,
    height,
    pageHeight,
    pages = 1,
    delay,
  } = await open()
    .metadata()
    .catch((cause: unknown) => {
      throw broken(cause);
    });
  const size = { width, height: pageHeight ?? height };
  requireSize(size, where, maxPixels);
  const frameBytes = 3 * size.width * size.height;
  if (pages * frameBytes > MOST_VALUES)
    throw videoError(
      `${where}: ${pages} frames of ${size.width}×${size.height} are more than fit in memory at once`,
      "Make it smaller, or convert it to a video file.",
    );
  const delays = Array.from({ length: pages }, (_, page) => delay?.[page] || SHORTEST_DELAY);
  const total = delays.reduce((sum, each) => sum + each, 0);
  const times = delays.map((_, page) => delays.slice(0, page).reduce((sum, each) => sum + each, 0) / 1000);
  return {
    where,
    size,
    rate: (1000 * pages) / total,
    times,
    async *frames(indices) {
      const data: Uint8Array = await open()
        .removeAlpha()
        .toColourspace("srgb")
        .raw()
        .toBuffer()
        .catch((cause: unknown) => {
          throw broken(cause);
        });
      if (data.length !== pages * frameBytes) throw broken(new Error("its frames are not all there"));
      for (const index of indices)
        yield { ...size, data: data.subarray(index * frameBytes, (index + 1) * frameBytes) } as RgbImage;
    },
  };
}
