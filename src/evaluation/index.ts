export * from "./answers/index.ts";
export { requireSubmission, writeSubmission } from "./answers/submission.ts";
export type * from "./benchmark.ts";
export { type Problem, readProblemSplit } from "./benchmarks/scienceqa/problems.ts";
export { formatProblem } from "./benchmarks/scienceqa/prompt-forms.ts";
export { type CaptionReport, type CaptionScores, evaluateCaptions } from "./captions.ts";
export * from "./judge/index.ts";
export * from "./metrics/index.ts";
export { normalizeEvalAiAnswer } from "./parsing/index.ts";
export { flattenPrompt } from "./prompting/index.ts";
export { findBenchmark, listBenchmarks } from "./registry.ts";
export * from "./report/index.ts";
export { wilsonInterval } from "./report/scores.ts";
export * from "./results/index.ts";
export {
  type Answered,
  answerBenchmark,
  firstOf,
  type RunFiles,
  requireAnswerable,
  requireSplit,
  runFiles,
} from "./run-benchmark.ts";
export { type Scored, type ScoreOptions, score } from "./scoring/index.ts";
export * from "./study/index.ts";
