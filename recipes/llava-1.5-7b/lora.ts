import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/** Stage 2 of LLaVA-1.5 by adapters, as its script finetune_lora.sh does: ten times stage 2's rate, but for the projector. */
export default recipe({
  ...finetune,
  train: ["projector"],
  lora: { rank: 128, alpha: 256, dropout: 0.05 },
  optimizer: { learningRate: 2e-4, projectorLearningRate: 2e-5, weightDecay: 0 },
  output: "runs/llava-1.5-7b/lora",
});
