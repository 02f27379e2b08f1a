import { z } from "zod";
import {
  type FeatureGrid,
  type FrameMerge,
  frameNewlines,
  framePoolingSchema,
  type ImageProcessorConfig,
} from "../image/index.ts";
import { type SamplingRule, samplingSchema } from "./sampling.ts";

/** How a model sees videos. */
export interface VideoConfig extends FrameMerge {
  readonly sampling: SamplingRule;
  /** How frames are resized and normalised; as images without tiles or bars, where a model says nothing else. */
  readonly frames?: ImageProcessorConfig;
  /** Whether a sentence on the video's length and the times of its frames stands behind it (LLaVA-Video). */
  readonly timeInstruction: boolean;
}

/** A way of seeing videos, for a model that is to learn it; LLaVA-NeXT-Video's where nothing is said. */
export const videoSchema = z.strictObject({
  /** Which frames are seen: 32 of any video. */
  sampling: samplingSchema.prefault({ rule: "uniform", frames: 32 }),
  /** How a frame's features become fewer. */
  pooling: framePoolingSchema.prefault({ mode: "average", stride: 2, place: "before" }),
  /** Where the newline of images stands among them. */
  newlines: z.enum(frameNewlines).default("none"),
  /** Whether a sentence on the video's length and the times of its frames stands behind it (LLaVA-Video). */
  timeInstruction: z.boolean().default(false),
});

/** From so many rows of features on, frames are pooled where a model does not say how. */
const LARGE = 10;

/**
 * For a model that learned from images alone: frames as one row of tiles without an overview, each pooled, and without
 * newlines (LLaVA-NeXT's zero-shot videos). 16 frames of 144 tokens are what fits into 4,096 positions.
 */
export const zeroShotVideo = ({ rows }: Pick<FeatureGrid, "rows">): VideoConfig => ({
  sampling: { rule: "uniform", frames: 16 },
  pooling: { mode: "average", stride: rows >= LARGE ? 2 : 1, place: "before" },
  newlines: "none",
  timeInstruction: false,
});

/**
 * The sentence that LLaVA-Video is told and trained with: how long a video is, how many of its frames are seen, and when
 * these show, in seconds.
 */
export const timeSentence = (times: readonly number[], duration: number): string =>
  `The video lasts for ${duration.toFixed(2)} seconds, and ${times.length} frames are uniformly sampled from it. These frames are located at ${times.map((time) => `${time.toFixed(2)}s`).join(",")}.Please answer the following questions related to this video.`;
