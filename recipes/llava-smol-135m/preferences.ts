import { recipe } from "llava/training";

/**
 * The default model learns from pairs of its own captions, of which a rule or a judge likes one better (`llava data
 * preferences`): adapters beside the finished model, which is their reference, with the β of LLaVA-NeXT-Video's recipe. Adapters
 * take a higher rate than all weights do. Rows, images, cache and output are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  projector: "loaded",
  train: [],
  lora: { rank: 8, alpha: 16 },
  objective: { type: "preference", loss: "sigmoid", beta: 0.1, reference: "precomputed" },
  data: {},
  optimizer: { learningRate: 5e-5 },
  schedule: { type: "linear", warmupRatio: 0.1 },
  batchSize: 8,
  maxSteps: 300,
  epochs: 100,
  maxGradientNorm: 1,
});
