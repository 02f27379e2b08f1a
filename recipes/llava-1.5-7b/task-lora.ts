import { recipe } from "llava/training";
import adapters from "./lora.ts";
import task from "./task.ts";

const { train, lora, optimizer } = adapters;

/** A finished LLaVA-1.5 on rows of one's own by adapters, as its script finetune_task_lora.sh does. */
export default recipe({ ...task, train, lora, optimizer, output: "runs/llava-1.5-7b/task-lora" });
