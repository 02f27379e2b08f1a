export { type Comparison, compareResults, type Flip } from "./compare.ts";
export { formatMetric } from "./format-metric.ts";
export { type Counts, coverage, type OutcomeRow, type Result, type Score } from "./result.ts";
export { readOutcomes, readResult, scoreToFile, writeResult } from "./result-file.ts";
