import type { Published } from "../benchmark.ts";
import type { OutcomeRow, Result } from "../results/result.ts";

/** A result with what a report shows beside it. */
export interface ReportSource {
  readonly result: Result;
  /** Published scores of the result's benchmark. */
  readonly published: readonly Published[];
  /** Reads the outcomes from the start. */
  outcomes(): AsyncIterable<OutcomeRow>;
}

/** Results of one benchmark, split and scoring, which may be compared. */
export interface BenchmarkGroup {
  readonly title: string;
  /** For links within the page. */
  readonly anchor: string;
  readonly sources: readonly ReportSource[];
}

export function groupSources(sources: readonly ReportSource[]): BenchmarkGroup[] {
  const groups = Map.groupBy(sources, ({ result }) => `${result.benchmark} ${result.split} ${result.compat}`);
  return [...groups.values()].map((members, index) => {
    const { title, split, compat } = members[0]!.result;
    return {
      title: `${title}, ${split}${compat ? " (bugs of the original reproduced)" : ""}`,
      anchor: `benchmark-${index + 1}`,
      sources: members,
    };
  });
}

/** Names of the results' models, told apart by number where two are alike. */
export function namesOf(sources: readonly ReportSource[]): string[] {
  const seen = new Map<string, number>();
  return sources.map(({ result }) => {
    const count = (seen.get(result.model) ?? 0) + 1;
    seen.set(result.model, count);
    return count === 1 ? result.model : `${result.model} (${count})`;
  });
}
