export { type BeamAnswer, type BeamOptions, beamSearch } from "./beam-search.ts";
export {
  type BatchPart,
  defaultMaxTokens,
  type GenerationFinish,
  type GenerationInput,
  type GenerationOptions,
  type GenerationOutput,
  type GenerationPart,
  generate,
  generateBatch,
  type TextGenerator,
  type Timings,
} from "./generate.ts";
export {
  type AnswerOptions,
  type BatchPrompt,
  type ChatOptions,
  LocalModel,
  type LocalModelOptions,
} from "./local-model.ts";
export { type Prompt, type PromptImages, type PromptInputs, preparePrompt } from "./prompt.ts";
export { RandomSource, type RandomState } from "./random.ts";
export { Sampler, type TokenDistribution } from "./sampler.ts";
export { type ShownText, StopStrings } from "./stopping.ts";
export { traceStages } from "./trace.ts";
