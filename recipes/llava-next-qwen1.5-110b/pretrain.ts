import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/pretrain.ts";

/** Stage 1 of LLaVA-NeXT on Qwen1.5 110B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "Qwen/Qwen1.5-110B-Chat",
  output: "runs/llava-next-qwen1.5-110b/pretrain",
});
