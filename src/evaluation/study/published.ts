import type { StudyModel } from "./models.ts";

const modelZoo = "LLaVA, docs/MODEL_ZOO.md";
const cogvlm2 = "CogVLM2 README, quoting the LLaVA-NeXT release of 2024-05-10";
const llama3 = "Llama 3 model card, pretrained, 5-shot";
const qwen2 = "Qwen2 technical report, pretrained, 5-shot";
const mistral = "Mistral 7B paper, table 2, pretrained, 5-shot";
const yi = "Yi paper, table 2, pretrained, 5-shot";

/**
 * Published scores of LLaVA-NeXT models, as far as they can be read outside pictures. MMLU is that of the pretrained
 * model under each one's language model (Vicuna: Llama 2), which is printed for all of them under like conditions.
 */
export const publishedModels: readonly StudyModel[] = [
  model("Vicuna 7B", 7, [45.7, llama3], modelZoo, {
    mmmu: 35.8,
    mathvista: 34.6,
    mmbench: 67.4,
    "llava-w": 81.6,
  }),
  model("Vicuna 13B", 13, [53.8, llama3], modelZoo, {
    mmmu: 36.2,
    mathvista: 35.3,
    mmbench: 70,
    "llava-w": 87.3,
  }),
  model("Mistral 7B", 7, [60.1, mistral], modelZoo, {
    mmmu: 35.3,
    mathvista: 37.7,
    mmbench: 68.7,
    "llava-w": 83.2,
  }),
  model("Hermes-Yi 34B", 34, [76.3, yi], modelZoo, {
    mmmu: 51.1,
    mathvista: 46.5,
    mmbench: 79.3,
    "llava-w": 89.6,
  }),
  model("LLaMA-3 8B", 8, [66.6, llama3], cogvlm2, { mmmu: 41.7, mmbench: 72.1, docvqa: 78.2, chartqa: 69.5 }),
  // The release has it too, in a picture alone.
  model("Qwen1.5 72B", 72, [77.5, qwen2], cogvlm2, {}),
  model("Qwen1.5 110B", 110, [80.4, qwen2], cogvlm2, {
    mmmu: 49.1,
    mmbench: 80.5,
    docvqa: 85.7,
    chartqa: 79.7,
  }),
];

/** Benchmarks that the release of 2024-05-10 sets against language; some have no published score here. */
export const studiedBenchmarks = ["mmmu", "mathvista", "ai2d", "llava-w"];

function model(
  name: string,
  params: number,
  [mmlu, mmluSource]: readonly [number, string],
  source: string,
  vision: Readonly<Record<string, number>>,
): StudyModel {
  const sources = Object.fromEntries(Object.keys(vision).map((benchmark) => [benchmark, source]));
  return { name, params, scores: { mmlu, ...vision }, sources: { mmlu: mmluSource, ...sources } };
}
