import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/**
 * LLaVA on ScienceQA (arXiv 2304.08485, section 5.2): after stage 1, twelve passes over its training problems, reasons
 * before answers. The rows: llava data scienceqa --form QCM-LEA.
 */
export default recipe({
  ...finetune,
  data: { ...finetune.data, mixing: "rows" },
  epochs: 12,
  output: "runs/llava-v1-13b/scienceqa",
});
