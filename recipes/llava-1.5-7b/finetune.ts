import { recipe } from "llava/training";
import pretrain from "./pretrain.ts";

/** Stage 2 of LLaVA-1.5 (arXiv 2310.03744, table 9): projector and language model, one pass over its mixture of 665K. */
export default recipe({
  ...pretrain,
  vision: { ...pretrain.vision, imageAspectRatio: "pad" },
  projector: "runs/llava-1.5-7b/pretrain/projector.safetensors",
  train: ["projector", "languageModel"],
  data: { ...pretrain.data, template: "vicuna_v1", grouping: "modality" },
  optimizer: { learningRate: 2e-5, weightDecay: 0 },
  batchSize: 128,
  output: "runs/llava-1.5-7b/finetune",
});
