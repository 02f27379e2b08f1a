import { LlavaError } from "../errors.ts";

/** A video's file. An object, so that no path of a video is taken for an image's. */
export interface VideoSource {
  readonly path: string;
}

export interface VideoPart {
  readonly type: "video";
  readonly video: VideoSource;
}

/** Why a message with a video gets no answer. */
export const videoRefusal = (where: string): LlavaError =>
  new LlavaError("prompt", `${where}: is a video, which no model here reads`, {
    hint: "Give frames of the video as images.",
  });
