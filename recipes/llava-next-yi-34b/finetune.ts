import { recipe } from "llava/training";
import seven from "../llava-next-vicuna-7b/finetune.ts";

/** Stage 2 of LLaVA-NeXT on Nous Hermes 2 Yi 34B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "NousResearch/Nous-Hermes-2-Yi-34B",
  projector: "runs/llava-next-yi-34b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "chatml_direct" },
  output: "runs/llava-next-yi-34b/finetune",
});
