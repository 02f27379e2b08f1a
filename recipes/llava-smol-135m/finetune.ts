import { recipe } from "llava/training";

/**
 * Stage 2 of the default model: captions, descriptions, questions and conversations made from the captions by rule
 * (`llava data questions`) teach the language model, by adapters, to answer what it is asked. It goes on from stage 1's
 * projector, with more visual tokens. That projector, rows, images, cache and output are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  tokensPerSide: 5,
  lora: { rank: 8, alpha: 16 },
  data: { rowsPerImage: 6 },
  optimizer: { learningRate: 1e-3, projectorLearningRate: 5e-4 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 48,
  packedRows: 5,
  maxSteps: 400,
  maxGradientNorm: 1,
});
