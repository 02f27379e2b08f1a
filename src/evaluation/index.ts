export * from "./answers/index.ts";
export type * from "./benchmark.ts";
export { type ProblemRow, scienceQaRows } from "./benchmarks/scienceqa/training-rows.ts";
export { type CaptionReport, type CaptionScores, evaluateCaptions } from "./captions.ts";
export * from "./judge/index.ts";
export * from "./metrics/index.ts";
export { flattenPrompt } from "./prompt-hash.ts";
export { findBenchmark, listBenchmarks } from "./registry.ts";
export * from "./report/index.ts";
export * from "./results/index.ts";
export {
  type Answered,
  answerBenchmark,
  firstOf,
  type RunFiles,
  requireSplit,
  runFiles,
} from "./run-benchmark.ts";
export * from "./runner/index.ts";
export { type Scored, type ScoreOptions, score } from "./score.ts";
export * from "./study/index.ts";
export { requireSubmission, writeSubmission } from "./submission.ts";
