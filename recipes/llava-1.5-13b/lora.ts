import { recipe } from "llava/training";
import seven from "../llava-1.5-7b/lora.ts";

/** Stage 2 of LLaVA-1.5 by adapters on Vicuna 13B: the 7B model's numbers. */
export default recipe({
  ...seven,
  model: "lmsys/vicuna-13b-v1.5",
  projector: "runs/llava-1.5-13b/pretrain/projector.safetensors",
  output: "runs/llava-1.5-13b/lora",
});
