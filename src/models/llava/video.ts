import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import type { JsonObject } from "../../files/index.ts";
import type { FeatureGrid, FrameNewlines, FramePooling } from "../../processing/image/index.ts";
import {
  type SamplingRule,
  samplingSchema,
  type VideoConfig,
  zeroShotVideo,
} from "../../processing/video/index.ts";
import { checked, flag } from "../config-fields.ts";
import type { VisionConfig } from "../vision-tower.ts";

/** LLaVA-NeXT-Video's demo looks at so many frames. */
const FRAMES = 32;
const STRIDE = 2;

const stride = z.coerce.number().pipe(z.int().min(1)).nullish();

/** A field of this project's own, in either layout: the frames that a model is to see (see `samplingSchema`). */
export const ownVideoFields = { video_sampling: samplingSchema.nullish() };

/** Fields of the original code that say how videos are seen. */
export const originalVideoFields = {
  ...ownVideoFields,
  mm_resampler_type: z.string().nullish(),
  mm_spatial_pool_mode: z.string().nullish(),
  mm_spatial_pool_stride: stride,
  mm_spatial_pool_out_channels: stride,
  mm_newline_position: z.string().nullish(),
  add_time_instruction: flag,
  add_faster_video: flag,
};
const originalFields = z.object(originalVideoFields);

/** Fields of transformers that say how videos are seen, in model types that have them. */
export const huggingFaceVideoFields = {
  ...ownVideoFields,
  spatial_pool_mode: z.enum(["average", "max", "conv"]).nullish(),
  spatial_pool_stride: stride,
  spatial_pool_out_channels: stride,
  video_token_index: z.int().nullish(),
  video_token_id: z.int().nullish(),
  video_seq_length: z.int().nullish(),
};
const huggingFaceFields = z.object(huggingFaceVideoFields);

const uniform = (frames: number): SamplingRule => ({ rule: "uniform", frames });

/**
 * As transformers has it, of LlavaNextVideo and LlavaOnevision: the one pools before the projector and has no newlines, the
 * other pools by a bilinear resize behind it, and has a newline behind the last frame.
 */
export function huggingFaceVideo(
  json: JsonObject,
  grid: FeatureGrid,
  where: string,
): VideoConfig | undefined {
  const fields = checked(huggingFaceFields, json, where);
  const { video_sampling: sampling, spatial_pool_mode: mode, spatial_pool_stride } = fields;
  if (json["model_type"] === "llava_onevision")
    return {
      sampling: sampling ?? uniform(FRAMES),
      pooling: { mode: "bilinear", stride: STRIDE, place: "after" },
      newlines: "video",
      timeInstruction: false,
    };
  if (json["model_type"] !== "llava_next_video") return sampledZeroShot(grid, sampling);
  return {
    sampling: sampling ?? uniform(FRAMES),
    pooling: { mode: mode ?? "average", stride: spatial_pool_stride ?? STRIDE, place: "before" },
    newlines: "none",
    timeInstruction: false,
  };
}

/**
 * As the original code has it. Models with `mm_newline_position` (LLaVA-Video) pool after the projector, and always by two;
 * those with a "spatial_pool" alone (LLaVA-NeXT-Video of April 2024) before it, by their stride.
 * @throws LlavaError "config" for what is not followed
 */
export function originalVideo(json: JsonObject, grid: FeatureGrid, where: string): VideoConfig | undefined {
  const fields = checked(originalFields, json, where);
  const { mm_resampler_type: resampler, mm_newline_position: position, video_sampling: sampling } = fields;
  const refuse = (field: string, value: unknown, known: string): never => {
    throw new LlavaError(
      "config",
      `${where}: ${field} is ${JSON.stringify(value)}, which changes results and is not supported`,
      {
        hint: `Known are ${known}.`,
      },
    );
  };
  if (resampler && resampler !== "spatial_pool")
    refuse("mm_resampler_type", resampler, "spatial_pool, and none");
  if (fields.add_faster_video) refuse("add_faster_video", true, "models without it");
  const isLater = typeof position === "string";
  if (!isLater && !resampler) return sampledZeroShot(grid, sampling);
  const mode = fields.mm_spatial_pool_mode ?? (isLater ? "bilinear" : "average");
  const known = isLater ? ["average", "max", "bilinear"] : ["average", "max", "conv"];
  if (!known.includes(mode)) refuse("mm_spatial_pool_mode", mode, known.join(", "));
  const newlines = isLater ? newlinesOf(position) : "none";
  if (newlines === undefined) refuse("mm_newline_position", position, Object.keys(positions).join(", "));
  const merge = String(json["mm_patch_merge_type"] ?? "flat");
  const hasNewlines = newlines !== undefined && newlines !== "none" && merge.startsWith("spatial");
  return {
    sampling: sampling ?? originalSampling(json),
    pooling: {
      mode: mode as FramePooling["mode"],
      stride: isLater ? STRIDE : (fields.mm_spatial_pool_stride ?? STRIDE),
      place: isLater ? "after" : "before",
    },
    newlines: hasNewlines && (newlines !== "video" || merge.includes("unpad")) ? newlines : "none",
    timeInstruction: fields.add_time_instruction ?? false,
  };
}

/** The fields of a configuration that say it. A "conv" pool gives as many channels as it takes where the file names no others. */
export function videoOf(
  video: VideoConfig | undefined,
  json: JsonObject,
  { hiddenSize }: VisionConfig,
): { readonly video?: VideoConfig; readonly pooledChannels?: number } {
  if (video?.pooling.mode !== "conv") return video === undefined ? {} : { video };
  const stated = json["mm_spatial_pool_out_channels"] ?? json["spatial_pool_out_channels"] ?? hiddenSize;
  return { video, pooledChannels: Number(stated) };
}

/** The fields by which the original code says it, `originalVideo` reads back. */
export const originalVideoFieldsOf = ({
  sampling,
  pooling,
  newlines,
  timeInstruction,
}: VideoConfig): JsonObject => ({
  video_sampling: sampling,
  mm_spatial_pool_mode: pooling.mode,
  mm_spatial_pool_stride: pooling.stride,
  mm_resampler_type: pooling.place === "before" ? "spatial_pool" : null,
  mm_newline_position:
    pooling.place === "before" ? null : Object.entries(positions).find(([, place]) => place === newlines)![0],
  add_time_instruction: timeInstruction,
});

const positions = { grid: "grid", frame: "frame", one_token: "video", no_token: "none" } as const;
const newlinesOf = (position: string): FrameNewlines | undefined =>
  Object.hasOwn(positions, position) ? positions[position as keyof typeof positions] : undefined;

const rule = z.object({
  video_fps: z.number().positive().nullish(),
  frames_upbound: z.int().min(1).nullish(),
  force_sample: flag,
});

function originalSampling(json: JsonObject): SamplingRule {
  const { video_fps, frames_upbound: most, force_sample: force } = rule.safeParse(json).data ?? {};
  if (!most) return uniform(FRAMES);
  return { rule: "fps-or-uniform", fps: video_fps ?? 1, most, ...(force && { force }) };
}

const sampledZeroShot = (
  grid: FeatureGrid,
  sampling: SamplingRule | null | undefined,
): VideoConfig | undefined => (sampling ? { ...zeroShotVideo(grid), sampling } : undefined);
