import { recipe } from "llava/training";
import finetune from "./finetune.ts";

const { vision: _, ...stage2 } = finetune;

/** A finished LLaVA-1.5 on rows of one's own, as its script finetune_task.sh does: stage 2 once more. */
export default recipe({
  ...stage2,
  model: "liuhaotian/llava-v1.5-7b",
  projector: "loaded",
  output: "runs/llava-1.5-7b/task",
});
