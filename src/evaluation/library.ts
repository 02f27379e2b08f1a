/** What the package offers as `llava/evaluation`: benchmarks and results, and the runner that asks models. */
export * from "../runner/index.ts";
export * from "./index.ts";
