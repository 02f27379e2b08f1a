import { recipe } from "llava/training";
import pretrain from "./pretrain.ts";

/**
 * Stage 2 of LLaVA-NeXT: all parts on images in tiles, the vision tower at a fifth of the rate (direct_finetune_clip.sh of
 * its repository), with the 4,096 tokens of the published models, one pass over its mixture of 760K (mixture.yaml).
 */
export default recipe({
  ...pretrain,
  vision: { ...pretrain.vision, imageAspectRatio: "pad" },
  anyres: {},
  projector: "runs/llava-next-vicuna-7b/pretrain/projector.safetensors",
  train: ["visionTower", "projector", "languageModel"],
  data: { ...pretrain.data, template: "vicuna_v1", maxTokens: 4096, grouping: "modality" },
  optimizer: { learningRate: 1e-5, visionTowerLearningRate: 2e-6, weightDecay: 0 },
  batchSize: 128,
  accumulation: 32,
  output: "runs/llava-next-vicuna-7b/finetune",
});
