export { type Comparison, compareResults, type Flip } from "./compare.ts";
export { formatMetric } from "./format-metric.ts";
export {
  type Counts,
  coverage,
  type Judging,
  type OutcomeRow,
  type Result,
  type RunFacts,
  type Score,
} from "./result.ts";
export { readOutcomes, readResult, scoreToFile, writeResult } from "./result-file.ts";
