export { beamSearch } from "./beam-search.ts";
export { contextOf } from "./budget.ts";
export { generateBatch } from "./generate.ts";
export { type LoadModelOptions, loadModel } from "./load-model.ts";
export { type AnswerOptions, type ChatOptions, LocalModel } from "./local-model.ts";
export type { ToldToken } from "./log-probabilities.ts";
export type { GenerationOutput, GenerationPart, Timings } from "./output.ts";
export {
  type OpenedPrompt,
  openPrompt,
  type Prompt,
  type PromptInputs,
  tensorOfPixels,
} from "./prompt.ts";
export { Sampler } from "./sampler.ts";
export { type Continuation, Sequence } from "./sequence.ts";
export { traceStages } from "./trace.ts";
