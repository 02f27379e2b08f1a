import { recipe } from "llava/training";
import seven from "../llava-next-video-7b/finetune.ts";

/** LLaVA-NeXT-Video-34B: the numbers of Vicuna 7B. */
export default recipe({
  ...seven,
  model: "NousResearch/Nous-Hermes-2-Yi-34B",
  projector: "runs/llava-next-yi-34b/pretrain/projector.safetensors",
  data: { ...seven.data, template: "chatml_direct" },
  output: "runs/llava-next-video-34b/finetune",
});
