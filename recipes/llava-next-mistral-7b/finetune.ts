import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/finetune.ts";

/** Stage 2 of LLaVA-NeXT on Mistral 7B: the numbers of Vicuna 7B, but half its rate. */
export default recipe({
  ...seven,
  model: "mistralai/Mistral-7B-Instruct-v0.2",
  projector: "runs/llava-next-mistral-7b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "mistral_instruct" },
  optimizer: { ...seven.optimizer, learningRate: 5e-6 },
  output: "runs/llava-next-mistral-7b/finetune",
});
