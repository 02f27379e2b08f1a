import { recipe } from "llava/training";
import taskLora from "./task-lora.ts";

/**
 * LLaVA-1.5-7B learns from pairs of answers about images, with the rate, schedule and β of RLHF-V's scripts and their eight
 * pairs a GPU; adapters, whose reference is the model without them, in place of all weights.
 */
export default recipe({
  ...taskLora,
  train: [],
  lora: { rank: 128, alpha: 256 },
  objective: { type: "preference", loss: "sigmoid", beta: 0.1 },
  data: { ...taskLora.data, grouping: "none" },
  optimizer: { learningRate: 5e-7, weightDecay: 0 },
  schedule: { type: "cosine", warmupRatio: 0.05 },
  batchSize: 64,
  accumulation: 8,
  epochs: 4,
  output: "runs/llava-1.5-7b/preferences",
});
