import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/pretrain.ts";

/** Stage 1 of LLaVA-NeXT on Vicuna 13B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "lmsys/vicuna-13b-v1.5",
  output: "runs/llava-next-vicuna-13b/pretrain",
});
