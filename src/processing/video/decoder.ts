import type { ImageSize, RgbImage } from "../image/index.ts";
import type { VideoOptions } from "./opened-video.ts";

/** What a container says of its first stream of pictures, told without decoding one. */
export interface ProbedVideo {
  /** Upright. */
  readonly size: ImageSize;
  /** Seconds of a unit of `pts`. */
  readonly timeBase: number;
  /** When frames show, ascending; undefined where the file does not say. */
  readonly pts: readonly number[] | undefined;
  readonly count: number;
  /** Frames a second. */
  readonly rate: number;
}

/** A way to read containers (MP4, WebM, Matroska, QuickTime, AVI, …). All ways give the same bytes. */
export interface VideoDecoder {
  /** @throws LlavaError "video" for what has no pictures, or is damaged */
  probe(path: string, options: VideoOptions): Promise<ProbedVideo>;
  /** The frames at ascending, distinct indices, as RGB by the file's own colour tags, turned upright. */
  frames(
    path: string,
    video: ProbedVideo,
    indices: readonly number[],
    options: VideoOptions,
  ): AsyncGenerator<RgbImage, void, undefined>;
}
