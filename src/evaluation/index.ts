export type * from "./benchmark.ts";
export { type CaptionReport, type CaptionScores, evaluateCaptions } from "./captions.ts";
export * from "./metrics/index.ts";
export { findBenchmark, listBenchmarks } from "./registry.ts";
export { type Counts, coverage, type OutcomeRow, type Result, type Score } from "./results/result.ts";
