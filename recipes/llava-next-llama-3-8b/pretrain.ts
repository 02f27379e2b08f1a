import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/pretrain.ts";

/** Stage 1 of LLaVA-NeXT on Llama 3 8B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "meta-llama/Meta-Llama-3-8B-Instruct",
  output: "runs/llava-next-llama-3-8b/pretrain",
});
