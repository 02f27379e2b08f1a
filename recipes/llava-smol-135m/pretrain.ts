import { recipe } from "llava/training";

/**
 * Stage 1 of the default model: the projector learns from captions what the frozen tower's features mean to the frozen
 * language model. Rows, images, evaluation rows, cache and output are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  tokensPerSide: 3,
  data: {
    template: "plain",
    answerEnd: "<|im_end|>",
    rowsPerImage: 2,
    flips: true,
  },
  optimizer: { learningRate: 1e-3 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 32,
  packedRows: 4,
  maxSteps: 1900,
  epochs: 3,
  maxGradientNorm: 1,
});
