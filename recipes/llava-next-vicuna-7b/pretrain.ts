import { recipe } from "llava/training";
import first from "../llava-1.5-7b/pretrain.ts";

/** Stage 1 of LLaVA-NeXT (January 2024): LLaVA-1.5's. */
export default recipe({ ...first, output: "runs/llava-next-vicuna-7b/pretrain" });
