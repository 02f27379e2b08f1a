export {
  layOut,
  mostFrames,
  mostThatFit,
  type OpenedMedium,
  openMedia,
  pixelsOf,
  type VideoRequest,
  videoPixels,
} from "./media.ts";
export { type EncodedRow, type ImageView, type MediumShape, openProcessor, Processor } from "./processor.ts";
export { conversationOfRow, type TurnMarks } from "./row-prompt.ts";
export { type ProcessorSource, sourceWithoutModel } from "./source.ts";
export { withTimes } from "./times.ts";
export { trainingProcessor } from "./training.ts";
