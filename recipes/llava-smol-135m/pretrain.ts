import { recipe } from "../../src/training/index.ts";

/**
 * Stage 1 of the default model: the projector learns from captions what the frozen tower's features mean to the frozen
 * language model. Rows, images, evaluation rows, cache and output are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  data: {
    captionsPerImage: 5,
    flips: true,
    end: "<|im_end|>",
  },
  optimizer: { learningRate: 2e-3 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 40,
  packedRows: 4,
  epochs: 4,
  maxGradientNorm: 1,
});
