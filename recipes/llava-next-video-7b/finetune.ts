import { recipe } from "llava/training";
import image from "../llava-1.5-7b/finetune.ts";

/**
 * LLaVA-NeXT-Video-7B as its archived script has it: stage 2 of LLaVA on images in tiles (the 760K of LLaVA-NeXT) and videos of
 * up to 5 minutes (Video-ChatGPT) in one pass, mixed in every step; a frame a second, pooled by two before the projector, and no
 * more than 16, which fit into 4,096 tokens (the script takes their number as an argument).
 * Of the ways that were compared, `--data.videos separated` gives each kind steps of its own; `continue.ts` is the third.
 */
export default recipe({
  ...image,
  vision: { ...image.vision, imageAspectRatio: "pad" },
  anyres: {},
  video: {
    sampling: { rule: "fps-or-uniform", fps: 1, most: 16 },
    pooling: { mode: "average", stride: 2, place: "before" },
  },
  projector: "runs/llava-next-vicuna-7b/pretrain/projector.safetensors",
  data: { ...image.data, maxTokens: 4096, videos: "mixed" },
  accumulation: 32,
  output: "runs/llava-next-video-7b/finetune",
});
