/** What callers and chat models say to each other; a local model, a server and a remote endpoint speak it alike. */

export {
  type BatchModel,
  type BatchRequest,
  type ChatModel,
  type ContentPart,
  type Finish,
  type FinishReason,
  type GenerationRequest,
  type GenerationResult,
  type ImagePart,
  type ImageUrlPart,
  type Message,
  type NamedImagePart,
  type Reply,
  type Role,
  type SamplingOptions,
  type StreamPart,
  type TextDelta,
  type TextPart,
  userMessage,
  type WrittenMessage,
} from "./chat.ts";
export { ContextFullError } from "./context-full.ts";
export {
  describeValue,
  heldBytes,
  type ImageSource,
  imageList,
  isBase64Image,
  requireImageSource,
  shortened,
} from "./image-source.ts";
export { costOf, type Price } from "./price.ts";
export { letterPrompt, shortAnswerPrompt } from "./response-formats.ts";
export {
  type LlavaRow,
  mediumKey,
  notAPair,
  RowError,
  type RowImage,
  type RowProblem,
  type RowTurn,
  rowError,
  rowProblems,
  sidesOf,
} from "./row.ts";
export {
  type AnswerConstraint,
  type MediumTokens,
  OverloadedError,
  PartError,
  type PromptTokens,
  type ServedModel,
  type ServedPart,
  type ServedPrompt,
  type ServedRequest,
  type ServedSampling,
  type ServedState,
  type ServedToken,
  type TokenProbability,
  tooManyWait,
} from "./served-model.ts";
export { addUsage, noUsage, type Usage } from "./usage.ts";
export {
  isVideo,
  type MediaSource,
  mediaList,
  mediaPart,
  requireVideoSource,
  type VideoFile,
  type VideoFrames,
  type VideoPart,
  type VideoSource,
  videoName,
  videoRefusal,
} from "./video.ts";
