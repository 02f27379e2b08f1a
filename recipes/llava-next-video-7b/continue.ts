import { recipe } from "llava/training";
import joint from "./finetune.ts";

const { vision: _, anyres: __, ...stage2 } = joint;

/** The finished LLaVA-NeXT learns on from videos alone: the way that forgets images, and that the joint ones were compared with. */
export default recipe({
  ...stage2,
  model: "liuhaotian/llava-v1.6-vicuna-7b",
  projector: "loaded",
  data: { ...joint.data, videos: "only" },
  output: "runs/llava-next-video-7b/continue",
});
