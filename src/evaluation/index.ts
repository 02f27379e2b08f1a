export type * from "./benchmark.ts";
export { type CaptionReport, type CaptionScores, evaluateCaptions } from "./captions.ts";
export * from "./metrics/index.ts";
