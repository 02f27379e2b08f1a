import { recipe } from "../../src/training/index.ts";

/** Stage 1 of LLaVA-1.5 (arXiv 2310.03744, table 9): the two-layer projector alone, one pass over LCS-558K. */
export default recipe({
  model: "lmsys/vicuna-7b-v1.5",
  vision: { tower: "openai/clip-vit-large-patch14-336", projector: "mlp2x_gelu", imageAspectRatio: "square" },
  data: { template: "plain", maxTokens: 2048, onBadRow: "skip", onLongRow: "truncate" },
  optimizer: { learningRate: 1e-3, weightDecay: 0 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 256,
  accumulation: 16,
  epochs: 1,
  maxGradientNorm: 1,
  activationCheckpointing: true,
  output: "runs/llava-1.5-7b/pretrain",
});
