export { timeSentence, type VideoConfig, zeroShotVideo } from "./config.ts";
export { openVideo } from "./open.ts";
export type { OpenedVideo, VideoOptions } from "./opened-video.ts";
export {
  type FrameTimes,
  type SampledFrames,
  type SamplingRule,
  sampleFrames,
  samplingSchema,
  withFrames,
} from "./sampling.ts";
