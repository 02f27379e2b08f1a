import { LlavaError } from "../errors.ts";
import { describeValue, type ImageSource, requireImageSource } from "./image-source.ts";

/** A video's file, or a folder of its frames. An object, so that no path of a video is taken for an image's. */
export interface VideoFile {
  readonly path: string;
}

/** A video as images, in the order that they show. */
export interface VideoFrames {
  readonly frames: readonly ImageSource[];
  /** How many show a second; 2 without it. */
  readonly framesPerSecond?: number;
}

export type VideoSource = VideoFile | VideoFrames;

export interface VideoPart {
  readonly type: "video";
  readonly video: VideoSource;
}

/** What stands in a prompt beside text. */
export type MediaSource = ImageSource | VideoSource;

/** Whether a medium is a video. */
export const isVideo = (medium: MediaSource): medium is VideoSource =>
  typeof medium === "object" && ("path" in medium || "frames" in medium);

/** A message's part for a medium. */
export const mediaPart = (
  medium: MediaSource,
): { readonly type: "image"; readonly image: ImageSource } | VideoPart =>
  isVideo(medium) ? { type: "video", video: medium } : { type: "image", image: medium };

/** One image or video, or several, as a list; videos are objects with "path" or "frames". */
export function mediaList(value: unknown, where: string): readonly MediaSource[] {
  if (value === undefined || value === null) return [];
  const one = (medium: unknown, place: string): MediaSource =>
    typeof medium === "object" && medium !== null && ("path" in medium || "frames" in medium)
      ? requireVideoSource(medium, place)
      : requireImageSource(medium, place);
  if (!Array.isArray(value)) return [one(value, where)];
  return value.map((medium, index) => one(medium, `${where}[${index}]`));
}

/** How a video is called in messages. */
export const videoName = (video: VideoSource): string =>
  "path" in video ? video.path : `a video of ${video.frames.length} frames`;

/** @throws LlavaError "video" or "image", beginning with `where`, for a value that is no video */
export function requireVideoSource(value: unknown, where: string): VideoSource {
  if (typeof value === "string" && value !== "") return { path: value };
  if (Array.isArray(value))
    return { frames: value.map((frame, index) => requireImageSource(frame, `${where}[${index}]`)) };
  if (typeof value === "object" && value !== null) {
    const { path, frames, framesPerSecond } = value as Partial<VideoFile & VideoFrames>;
    if (typeof path === "string" && path !== "") return { path };
    if (Array.isArray(frames))
      return {
        frames: frames.map((frame, index) => requireImageSource(frame, `${where}.frames[${index}]`)),
        ...(typeof framesPerSecond === "number" && framesPerSecond > 0 && { framesPerSecond }),
      };
  }
  throw new LlavaError("video", `${where}: expected a video, got ${describeValue(value)}`, {
    hint: 'A video is the path of its file, {"path"}, or {"frames": [images]}.',
  });
}

/** Why a message with a video is not sent to an endpoint. */
export const videoRefusal = (video: VideoSource): LlavaError =>
  new LlavaError("prompt", `${videoName(video)}: is a video, which endpoints are not sent`, {
    hint: "Give frames of the video as images.",
  });
