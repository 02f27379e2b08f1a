import { recipe } from "llava/training";
import seven from "../llava-1.5-7b/pretrain.ts";

/** Stage 1 of LLaVA-1.5 on Vicuna 13B: the 7B model's numbers. */
export default recipe({ ...seven, model: "lmsys/vicuna-13b-v1.5", output: "runs/llava-1.5-13b/pretrain" });
