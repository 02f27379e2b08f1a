import { isVideo, type MediaSource } from "../../protocol/index.ts";
import {
  gatherPixels,
  type ImageLayout,
  type ImageLoadOptions,
  joinPixels,
  type OpenedImage,
  openImage,
  type PixelValues,
} from "../image/index.ts";
import { type AskedFrames, type OpenedVideo, openVideo, type SampledFrames } from "../video/index.ts";
import type { ImageView, Processor } from "./processor.ts";

/** How videos of a prompt are to be seen, in the place of the model's own way. */
export interface VideoRequest {
  /** Frames of each video; "auto" is the most that fit into the context. */
  readonly frames?: number | "auto";
  /** Frames a second, up to `frames` of them. */
  readonly fps?: number;
}

/** An image or a video whose size is known, and whose pixels are decoded when they are asked for. */
export type OpenedMedium =
  | { readonly image: OpenedImage; readonly layout: ImageLayout }
  | { readonly video: OpenedVideo; readonly sampled: SampledFrames; readonly layout: ImageLayout };

type Undecided = OpenedImage | OpenedVideo;

/** Opens the media of a prompt; nothing is decoded. */
export const openMedia = (
  sources: readonly MediaSource[],
  options: ImageLoadOptions,
): Promise<readonly Undecided[]> =>
  Promise.all(
    sources.map((source) =>
      isVideo(source)
        ? openVideo(source, {
            ...(options.signal && { signal: options.signal }),
            ...(options.maxPixels !== undefined && { maxPixels: options.maxPixels }),
          })
        : openImage(source, options),
    ),
  );

const isOpenVideo = (medium: Undecided): medium is OpenedVideo => "frames" in medium;

/**
 * How media are seen, with so many frames of each video, or as many as the model's own rule takes.
 * @param asked.details of images, by their indices
 */
export const layOut = (
  media: readonly Undecided[],
  processor: Processor,
  { details = [], ...asked }: AskedFrames & { readonly details?: readonly ("low" | undefined)[] | undefined },
): OpenedMedium[] => {
  const seen = media.map((medium, at) =>
    isOpenVideo(medium)
      ? {
          video: medium,
          isVideo: true as const,
          size: medium.size,
          sampled: processor.sampleFrames(medium, asked),
        }
      : { image: medium, size: medium.size, detail: details[at] },
  );
  const layouts = processor.mediaLayouts(seen);
  return seen.map((medium, at) => ({ ...medium, layout: layouts[at]! }));
};

/** Frames of the longest video. */
export const mostFrames = (media: readonly Undecided[]): number =>
  Math.max(0, ...media.map((medium) => (isOpenVideo(medium) ? medium.times.length : 0)));

/** The most frames, up to `most`, with which something fits; 1 if even that does not. */
export function mostThatFit(fits: (frames: number) => boolean, most: number): number {
  let [fitting, over] = [1, most + 1];
  while (over - fitting > 1) {
    const middle = Math.floor((fitting + over) / 2);
    if (fits(middle)) fitting = middle;
    else over = middle;
  }
  return fitting;
}

/** All tiles and frames of media, in order. */
export async function pixelsOf(media: readonly OpenedMedium[], processor: Processor): Promise<PixelValues> {
  const seen = await Promise.all(
    media.map(async (medium) => {
      if ("image" in medium) return processor.pixels(await medium.image.decode(), { layout: medium.layout });
      return await videoPixels(medium.video, medium.sampled, processor);
    }),
  );
  return joinPixels(seen);
}

/** What the vision tower is given of a video: its chosen frames, one after another. */
export async function videoPixels(
  video: OpenedVideo,
  { indices }: Pick<SampledFrames, "indices">,
  processor: Processor,
  view: Pick<ImageView, "mirrored"> = {},
): Promise<PixelValues> {
  return await gatherPixels(video.frames(indices), indices.length, (frame, into) =>
    processor.framePixels(frame, view, into),
  );
}
