import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/pretrain.ts";

/** Stage 1 of LLaVA-NeXT on Mistral 7B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "mistralai/Mistral-7B-Instruct-v0.2",
  output: "runs/llava-next-mistral-7b/pretrain",
});
