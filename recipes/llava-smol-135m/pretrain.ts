import { recipe } from "../../src/training/index.ts";

/**
 * Stage 1 of the default model: the projector learns from captions what the frozen tower's features mean to the frozen
 * language model. Rows, images, evaluation rows, cache and output are given on the command line.
 */
export default recipe({
  model: "llava-smol-135m",
  data: {
    captionsPerImage: 2,
    flips: true,
    end: "<|im_end|>",
    // One image in ten comes with a question, so that the projector serves the chat template too.
    questions: [
      "What is in this photo?",
      "What is in this image?",
      "Describe this image.",
      "Describe the photo in one sentence.",
      "What do you see in the picture?",
      "What is happening in this picture?",
      "Give a short caption of this image.",
      "Write a caption for this photo.",
      "What does the image show?",
    ],
    questionRatio: 0.1,
  },
  optimizer: { learningRate: 1e-3 },
  schedule: { type: "cosine", warmupRatio: 0.03 },
  batchSize: 32,
  packedRows: 4,
  maxSteps: 1900,
  epochs: 3,
  maxGradientNorm: 1,
});
