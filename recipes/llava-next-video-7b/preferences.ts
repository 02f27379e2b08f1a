import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/**
 * LLaVA-NeXT-Video-7B-DPO as its archived script has it: all of the language model, from AI feedback on videos
 * (sft_dpo_17k.jsonl of LLaVA-Hound), tower and projector frozen. The reference is computed once, so that no second model is
 * held.
 */
export default recipe({
  model: "lmms-lab/LLaVA-NeXT-Video-7B",
  projector: "loaded",
  train: ["languageModel"],
  video: finetune.video,
  objective: { type: "preference", loss: "sigmoid", beta: 0.1, reference: "precomputed" },
  data: { template: "vicuna_v1", maxTokens: 4096, videos: "only" },
  optimizer: { learningRate: 5e-7, weightDecay: 0 },
  schedule: { type: "linear", warmupRatio: 0.1 },
  batchSize: 128,
  accumulation: 128,
  epochs: 3,
  activationCheckpointing: true,
  checkpoint: { every: 70 },
  output: "runs/llava-next-video-7b/preferences",
});
