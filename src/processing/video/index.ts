export { timeSentence, type VideoConfig, videoSchema, zeroShotVideo } from "./config.ts";
export { openVideo } from "./open.ts";
export type { OpenedVideo } from "./opened-video.ts";
export {
  type AskedFrames,
  type FrameTimes,
  type SampledFrames,
  type SamplingRule,
  sampleFrames,
  samplingSchema,
  withFrames,
} from "./sampling.ts";
