import { recipe } from "llava/training";
import seven from "../llava-1.5-7b/task.ts";

/** A finished LLaVA-1.5 13B on rows of one's own: the 7B model's numbers. */
export default recipe({ ...seven, model: "liuhaotian/llava-v1.5-13b", output: "runs/llava-1.5-13b/task" });
