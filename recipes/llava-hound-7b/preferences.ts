import { recipe } from "llava/training";
import video from "../llava-next-video-7b/preferences.ts";

/** LLaVA-Hound-DPO (arXiv 2404.01258) as its script train_dpo.sh has it: the same numbers, shorter rows, ten
 * frames of each folder. */
export default recipe({
  ...video,
  model: "ShareGPTVideo/LLaVA-Hound-SFT",
  video: { ...video.video, sampling: { rule: "uniform", frames: 10 } },
  data: { ...video.data, maxTokens: 2048 },
  output: "runs/llava-hound-7b/preferences",
});
