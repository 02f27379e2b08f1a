import { listBenchmarks } from "../registry.ts";
import { readOutcomes, readResult } from "../results/result-file.ts";
import type { ReportSource } from "./source.ts";

/** Results from their files, with the published scores of their benchmarks. @throws LlavaError "data" for other files */
export async function loadSources(paths: readonly string[]): Promise<ReportSource[]> {
  const benchmarks = new Map((await listBenchmarks()).map((benchmark) => [benchmark.name, benchmark]));
  return Promise.all(
    paths.map(async (path) => {
      const result = await readResult(path);
      const published = benchmarks.get(result.benchmark)?.published ?? [];
      return { result, published, outcomes: () => readOutcomes(path, result) };
    }),
  );
}
