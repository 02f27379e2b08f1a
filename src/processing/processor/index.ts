export { type EncodedRow, openProcessor, Processor } from "./processor.ts";
export { conversationOfRow, type TurnMarks } from "./row-prompt.ts";
export { type ProcessorSource, sourceWithoutModel, type TokenizerSource } from "./source.ts";
export { type TrainingProcessor, trainingProcessor } from "./training.ts";
