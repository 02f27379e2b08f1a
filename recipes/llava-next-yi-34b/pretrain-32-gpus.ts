import { recipe } from "llava/training";
import pretrain from "./pretrain.ts";

/** Stage 1 of LLaVA-NeXT 34B on 32 GPUs of 80 GB in four machines: the same rows, losses and weights as on one. */
export default recipe({ ...pretrain, device: "cuda", sharding: "weights", accumulation: 1 });
