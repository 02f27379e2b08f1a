import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/finetune.ts";

/** Stage 2 of LLaVA-NeXT on Qwen1.5 72B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "Qwen/Qwen1.5-72B-Chat",
  projector: "runs/llava-next-qwen1.5-72b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "qwen_1_5" },
  output: "runs/llava-next-qwen1.5-72b/finetune",
});
