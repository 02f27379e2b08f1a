import { join } from "node:path";
import type { MediaOf, RecaptionItem } from "../../../datagen/index.ts";
import { LlavaError } from "../../../errors.ts";
import type { MediaSource } from "../../../protocol/index.ts";

/** Clips whose frames are held at once. */
const heldClips = 4;

/** What recaptioning shows: images as they are, of videos frames, which a clip is decoded for once. */
export class SegmentFrames implements MediaOf {
  readonly #folder: string;
  readonly #frames: number;
  readonly #asVideo: boolean;
  /** Frames of each segment, by its begin and end. */
  readonly #clips = new Map<string, Promise<ReadonlyMap<string, readonly Uint8Array[]>>>();

  /** @param frames of a video or of a segment; @param asVideo for models that know videos, which endpoints do not */
  constructor(folder: string, frames: number, asVideo: boolean) {
    this.#folder = folder;
    this.#frames = frames;
    this.#asVideo = asVideo;
  }

  get identity(): string {
    return `${this.#frames} frames`;
  }

  file({ image, isVideo }: RecaptionItem): MediaSource {
    const path = /^https?:/i.test(image) ? image : join(this.#folder, image);
    return isVideo ? { path } : path;
  }

  imagesOf({ isVideo }: RecaptionItem): number {
    return isVideo ? this.#frames : 1;
  }

  async shown(item: RecaptionItem): Promise<readonly MediaSource[]> {
    if (!item.isVideo) return [this.file(item)];
    const clip = this.#clips.get(item.image) ?? this.#open(item);
    const frames = (await clip).get(nameOf(item.segment))!;
    return this.#asVideo ? [{ frames }] : frames;
  }

  #open(item: RecaptionItem): ReturnType<typeof segmentFrames> {
    const clip = segmentFrames(join(this.#folder, item.image), item.segments ?? [undefined], this.#frames);
    this.#clips.set(item.image, clip);
    const [oldest] = this.#clips.keys();
    if (this.#clips.size > heldClips) this.#clips.delete(oldest!);
    return clip;
  }
}

type Segment = readonly [start: number, end: number] | undefined;

const nameOf = (segment: Segment): string => segment?.join("-") ?? "";

/** JPEG files of frames in equal distances, of each segment; the clip is decoded once. */
async function segmentFrames(path: string, segments: readonly Segment[], count: number) {
  const { openVideo, sampleFrames } = await import("../../../processing/video/index.ts");
  const { default: sharp } = await import("sharp");
  const video = await openVideo({ path });
  const chosen = segments.map((segment) => {
    const within = [...video.times.keys()].filter(
      (index) => !segment || (video.times[index]! >= segment[0] && video.times[index]! < segment[1]),
    );
    if (within.length === 0)
      throw new LlavaError("video", `${path}: has no frame from ${nameOf(segment)} seconds`, {
        hint: `It lasts ${video.times.at(-1)?.toFixed(1)} seconds; give segments within.`,
      });
    const times = within.map((index) => video.times[index]! - video.times[within[0]!]!);
    const { indices } = sampleFrames(
      { rule: "uniform", frames: Math.min(count, within.length) },
      { times, rate: video.rate },
    );
    return indices.map((index) => within[index]!);
  });
  const wanted = [...new Set(chosen.flat())].sort((a, b) => a - b);
  const files = new Map<number, Uint8Array>();
  let next = 0;
  for await (const { data, width, height } of video.frames(wanted))
    files.set(
      wanted[next++]!,
      await sharp(data, { raw: { width, height, channels: 3 } })
        .jpeg()
        .toBuffer(),
    );
  return new Map(
    chosen.map((indices, number) => [nameOf(segments[number]), indices.map((index) => files.get(index)!)]),
  );
}
