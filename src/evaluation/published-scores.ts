import type { Published } from "./benchmark.ts";

/** Scores of one metric from one place, by model. */
export const publishedScores = (
  metric: string,
  source: string,
  scores: Readonly<Record<string, number>>,
): Published[] => Object.entries(scores).map(([model, value]) => ({ model, metric, value, source }));

const zooModels = [
  "LLaVA-1.5 7B",
  "LLaVA-1.5 13B",
  "LLaVA-1.5 7B LoRA",
  "LLaVA-1.5 13B LoRA",
  "LLaVA-1.6 Vicuna-7B",
  "LLaVA-1.6 Vicuna-13B",
  "LLaVA-1.6 Mistral-7B",
  "LLaVA-1.6 Hermes-Yi-34B",
];

/** Columns of the table in LLaVA's docs/MODEL_ZOO.md by metric, each model by model in its order; null where it has no score. */
export const modelZooScores = (
  columns: Readonly<Record<string, readonly (number | null)[]>>,
  source = "LLaVA repository, docs/MODEL_ZOO.md",
): Published[] =>
  zooModels.flatMap((model, row) =>
    Object.entries(columns).flatMap(([metric, scores]) => {
      const value = scores[row];
      return value == null ? [] : [{ model, metric, value, source }];
    }),
  );
