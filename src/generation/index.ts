export { type BeamAnswer, type BeamOptions, BeamSequence, beamSearch } from "./beam-search.ts";
export { defaultMaxTokens, roomFor } from "./budget.ts";
export { type Emitted, Engine, type EngineOptions } from "./engine.ts";
export { generate, generateBatch } from "./generate.ts";
export type { BeamSettings, GenerationInput, GenerationOptions, TextGenerator } from "./input.ts";
export {
  type AnswerOptions,
  type BatchPrompt,
  type BatchRefusal,
  type ChatOptions,
  LocalModel,
  type LocalModelOptions,
} from "./local-model.ts";
export {
  type BatchPart,
  type GenerationFinish,
  type GenerationOutput,
  type GenerationPart,
  type Timings,
  usageOf,
} from "./output.ts";
export { type Prompt, type PromptImages, type PromptInputs, preparePrompt } from "./prompt.ts";
export { Sampler, type TokenDistribution } from "./sampler.ts";
export { type Continuation, type Decoding, type NextLogits, Sequence } from "./sequence.ts";
export { type ShownText, StopStrings } from "./stopping.ts";
export { traceStages } from "./trace.ts";
