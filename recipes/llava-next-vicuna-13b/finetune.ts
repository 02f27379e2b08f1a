import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/finetune.ts";

/** Stage 2 of LLaVA-NeXT on Vicuna 13B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "lmsys/vicuna-13b-v1.5",
  projector: "runs/llava-next-vicuna-13b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "vicuna_v1" },
  output: "runs/llava-next-vicuna-13b/finetune",
});
