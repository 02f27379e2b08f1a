export { beamSearch } from "./beam-search.ts";
export { generateBatch } from "./generate.ts";
export { type LoadModelOptions, loadModel } from "./load-model.ts";
export { type AnswerOptions, type ChatOptions, LocalModel } from "./local-model.ts";
export type { GenerationOutput, GenerationPart, Timings } from "./output.ts";
export type { Prompt, PromptInputs } from "./prompt.ts";
export { traceStages } from "./trace.ts";
