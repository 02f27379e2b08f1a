import { LlavaError } from "../../errors.ts";
import type { ImageSize, RgbImage } from "../image/index.ts";
import type { FrameTimes } from "./sampling.ts";

/** A video whose frames are counted, and not decoded. */
export interface OpenedVideo extends FrameTimes {
  /** How it is called in messages. */
  readonly where: string;
  /** Of the first frame, upright. */
  readonly size: ImageSize;
  /**
   * The frames at ascending indices, one after another, so that no more than one is in memory: the next takes the place of
   * its bytes. An index that comes again gives the same frame again.
   * @throws LlavaError "video" for a frame that cannot be decoded
   */
  frames(indices: readonly number[]): AsyncGenerator<RgbImage, void, undefined>;
}

export interface VideoOptions {
  /** Names the video in messages; its path without it. */
  readonly where?: string;
  readonly signal?: AbortSignal;
  /** Refused above so many pixels a frame; 100 million. */
  readonly maxPixels?: number;
  /** Decoded by a program in a process of its own, so that a stranger's file can end that process alone. */
  readonly isApart?: boolean;
}

/** Gives each of `distinct`, which come in order, as often as its index stands in `indices`. */
export async function* repeated(
  indices: readonly number[],
  distinct: AsyncIterable<RgbImage>,
): AsyncGenerator<RgbImage, void, undefined> {
  let next = 0;
  for await (const frame of distinct) {
    const index = indices[next];
    while (next < indices.length && indices[next] === index) {
      yield frame;
      next++;
    }
  }
}

/** Indices that ascend, each once. */
export const distinctOf = (indices: readonly number[]): number[] => [...new Set(indices)];

export const videoError = (message: string, hint: string, cause?: unknown): LlavaError =>
  new LlavaError("video", message, { hint, ...(cause !== undefined && { cause }) });

/** @throws LlavaError "video" where a frame is larger than may be decoded */
export function requireSize(size: ImageSize, where: string, most = 100_000_000): void {
  const { width, height } = size;
  if (width * height <= most) return;
  throw videoError(
    `${where}: its frames of ${width}×${height} are ${width * height} pixels, the limit is ${most}`,
    "Scale the video down first.",
  );
}
