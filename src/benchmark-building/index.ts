export { type Built, buildBenchmark } from "./build-benchmark.ts";
export type { BuildOptions } from "./build-options.ts";
export type { TrainingSet } from "./contamination/decontaminate.ts";
export { builtInEmbedder } from "./embedding/built-in.ts";
export type { Embedder } from "./embedding/embedder.ts";
export type { Teacher } from "./references.ts";
export type { BuildReport } from "./report.ts";
export type { ImageScreen } from "./screening/screen.ts";
