import { recipe } from "llava/training";
import seven from "../llava-next-video-7b/preferences.ts";

/** LLaVA-NeXT-Video-34B-DPO: the numbers of Vicuna 7B (its script differs in how weights are split among GPUs). */
export default recipe({
  ...seven,
  model: "lmms-lab/LLaVA-NeXT-Video-34B",
  data: { ...seven.data, template: "chatml_direct" },
  output: "runs/llava-next-video-34b/preferences",
});
