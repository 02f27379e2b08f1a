import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/** Stage 2 of LLaVA-NeXT 72B on 64 GPUs of 80 GB in eight machines: the same rows, losses and weights as on one. */
export default recipe({ ...finetune, device: "cuda", sharding: "weights", accumulation: 1 });
