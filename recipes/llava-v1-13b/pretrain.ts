import { recipe } from "llava/training";

/** Stage 1 of LLaVA (arXiv 2304.08485, section 4.2): one linear layer alone, one pass over CC3M-595K. */
export default recipe({
  model: "lmsys/vicuna-13b-v1.3",
  vision: { tower: "openai/clip-vit-large-patch14", projector: "linear", imageAspectRatio: "square" },
  data: { template: "plain", maxTokens: 2048, onBadRow: "skip", onLongRow: "truncate" },
  optimizer: { learningRate: 2e-3, weightDecay: 0 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 128,
  accumulation: 8,
  epochs: 1,
  maxGradientNorm: 1,
  activationCheckpointing: true,
  output: "runs/llava-v1-13b/pretrain",
});
