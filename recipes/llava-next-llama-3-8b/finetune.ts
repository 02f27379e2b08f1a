import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/finetune.ts";

/** Stage 2 of LLaVA-NeXT on Llama 3 8B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "meta-llama/Meta-Llama-3-8B-Instruct",
  projector: "runs/llava-next-llama-3-8b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "llava_llama_3" },
  output: "runs/llava-next-llama-3-8b/finetune",
});
