import { recipe } from "llava/training";
import pretrain from "./pretrain.ts";

/**
 * Stage 2 of LLaVA (arXiv 2304.08485, section 4.2): projector and language model, three passes over Instruct-158K, its types
 * seen equally often: --data.rows 'LLaVA-Instruct-150K/{conversation_58k,detail_23k,complex_reasoning_77k}.json'.
 */
export default recipe({
  ...pretrain,
  projector: "runs/llava-v1-13b/pretrain/projector.safetensors",
  train: ["projector", "languageModel"],
  data: { ...pretrain.data, template: "vicuna_v1", mixing: "datasets" },
  optimizer: { learningRate: 2e-5, weightDecay: 0 },
  batchSize: 32,
  epochs: 3,
  output: "runs/llava-v1-13b/finetune",
});
