import { isDeepStrictEqual } from "node:util";
import { LlavaError } from "../errors.ts";
import type { JsonObject } from "../files/index.ts";
import { huggingFaceVideo, originalVideo, originalVideoFieldsOf } from "../models/index.ts";
import type { VideoConfig } from "../processing/video/index.ts";
import { plain } from "./any-res.ts";
import type { DescribedModel } from "./pretrained.ts";

/**
 * The same model, seeing videos in another way, as its configuration says from now on. A built-in model's keeps nothing of it.
 * @throws LlavaError "config" naming a field for which its kind of checkpoint has no word
 */
export function withVideo<M extends Pick<DescribedModel, "processor" | "origin">>(
  described: M,
  asked: Omit<VideoConfig, "frames">,
): M {
  const { processor, origin } = described;
  const { frames } = processor.videoConfig;
  const video: VideoConfig = { ...asked, ...(frames && { frames }) };
  if (video.pooling.mode === "conv")
    throw new LlavaError(
      "config",
      'video.pooling.mode is "conv", which has weights that a model is loaded with',
      {
        hint: "Leave video out to keep the model's own way, or choose average, max or bilinear.",
      },
    );
  const seen = { ...described, processor: processor.with({ video }) };
  if (origin === undefined) return seen;
  const isOriginal = "mm_vision_tower" in origin.config;
  const config: JsonObject = {
    ...origin.config,
    ...(isOriginal ? originalVideoFieldsOf(video) : huggingFaceFieldsOf(video)),
  };
  const reading = isOriginal
    ? originalVideo
    : video.pooling.mode === "bilinear"
      ? undefined
      : huggingFaceVideo;
  const read = reading?.(plain(config), processor.grid, "video");
  const lost = (["pooling", "newlines", "timeInstruction", "sampling"] as const).find(
    (field) => !isDeepStrictEqual(read?.[field], video[field]),
  );
  if (lost !== undefined)
    throw new LlavaError(
      "config",
      `video.${lost} is ${JSON.stringify(video[lost])}, for which a checkpoint of the model_type ${JSON.stringify(config["model_type"])} has no word beside its other fields`,
      {
        hint: "Newlines need an image_newline (anyres), behind the projector the stride is 2; or start from the model in the original layout (llava convert --to original).",
      },
    );
  return { ...seen, origin: { ...origin, config, llava: { ...origin.llava, video } } };
}

const huggingFaceFieldsOf = ({ sampling, pooling }: VideoConfig): JsonObject => ({
  video_sampling: sampling,
  spatial_pool_mode: pooling.mode,
  spatial_pool_stride: pooling.stride,
});
