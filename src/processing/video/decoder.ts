import type { ImageSize, RgbImage } from "../image/index.ts";
import { type VideoOptions, videoError } from "./opened-video.ts";

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

/** Colours as the file's tags say. A plain conversion without the filter takes all for BT.601. */
export const RGB_FILTER = "scale,format=rgb24";

/** A packet of a stream of pictures, which holds one of them. */
export interface ListedPacket {
  /** When it shows, in the stream's unit; NaN where the file does not say. */
  readonly pts: number;
  readonly duration: number;
  /** It only helps to decode others: what an edit list cuts off. */
  readonly isDiscarded: boolean;
}

/**
 * A video of these packets.
 * @param stream.statedRate of its head, which has two places
 * @throws LlavaError "video" where none is shown
 */
export function probedVideo(
  packets: readonly ListedPacket[],
  stream: Pick<ProbedVideo, "size" | "timeBase"> & { readonly statedRate: number | undefined },
  where: string,
): ProbedVideo {
  const { size, timeBase, statedRate } = stream;
  const shown = packets.filter(({ isDiscarded }) => !isDiscarded);
  if (shown.length === 0) throw videoError(`${where}: it has no frames`, "Get the file again.");
  const pts = shown.map((packet) => packet.pts).sort((a, b) => a - b);
  const areTimes = pts.every((time, i) => Number.isFinite(time) && (i === 0 || time > pts[i - 1]!));
  const ticks = packets.reduce((sum, { duration }) => sum + duration, 0);
  const exactRate = ticks > 0 ? packets.length / (ticks * timeBase) : undefined;
  return {
    size,
    timeBase,
    pts: areTimes ? pts : undefined,
    count: shown.length,
    rate: rateOf(exactRate, statedRate),
  };
}

/** Frames a second: as the file says it, and exactly where its packets say the same. */
function rateOf(exact: number | undefined, stated: number | undefined): number {
  if (exact !== undefined && (stated === undefined || Math.abs(exact - stated) < 0.006)) return exact;
  return stated ?? 25;
}

/** @throws LlavaError "video" always */
export function refuseCut(where: string, given: number, asked: number, reason: string): never {
  throw videoError(
    `${where}: cut short or damaged: ${given} of ${asked} frames could be decoded${reason}`,
    "Get the file again.",
  );
}

/** @throws LlavaError "video" always */
export function refusePictureless(where: string, hasSound: boolean): never {
  throw videoError(
    `${where}: has no video${hasSound ? ", only sound" : ""}`,
    "Give a file with moving pictures.",
  );
}
