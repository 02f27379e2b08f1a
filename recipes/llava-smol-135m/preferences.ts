import { recipe } from "llava/training";

/**
 * The default model learns from pairs of its own answers (`llava data preferences`) by DPO: adapters, whose reference is the
 * model without them. The rate is that of adapters in stage 2, lower by ten; pairs and images are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  train: [],
  lora: { rank: 8, alpha: 16 },
  objective: { type: "preference", loss: "sigmoid", beta: 0.1 },
  data: { grouping: "none" },
  optimizer: { learningRate: 1e-4, weightDecay: 0 },
  schedule: { type: "cosine", warmupRatio: 0.05 },
  batchSize: 8,
  maxSteps: 20,
  maxGradientNorm: 1,
});
