export * from "./answers/index.ts";
export type * from "./benchmark.ts";
export { type CaptionReport, type CaptionScores, evaluateCaptions } from "./captions.ts";
export * from "./metrics/index.ts";
export { findBenchmark, listBenchmarks } from "./registry.ts";
export * from "./results/index.ts";
export * from "./runner/index.ts";
export { type Scored, type ScoreOptions, score } from "./score.ts";
