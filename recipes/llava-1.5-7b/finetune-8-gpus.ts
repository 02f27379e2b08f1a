import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/** Stage 2 of LLaVA-1.5 7B on 8 GPUs of 80 GB in one machine: the same rows, losses and weights as on one. */
export default recipe({ ...finetune, device: "cuda", sharding: "states", accumulation: 1 });
