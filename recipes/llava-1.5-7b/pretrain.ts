import { recipe } from "llava/training";
import first from "../llava-v1-13b/pretrain.ts";

/** Stage 1 of LLaVA-1.5 (arXiv 2310.03744, table 9): LLaVA's, with a two-layer projector, more pixels and LCS-558K. */
export default recipe({
  ...first,
  model: "lmsys/vicuna-7b-v1.5",
  vision: { tower: "openai/clip-vit-large-patch14-336", projector: "mlp2x_gelu", imageAspectRatio: "square" },
  optimizer: { learningRate: 1e-3, weightDecay: 0 },
  batchSize: 256,
  accumulation: 16,
  output: "runs/llava-1.5-7b/pretrain",
});
