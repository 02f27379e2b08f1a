import { recipe } from "llava/training";
import adapters from "./lora.ts";

/**
 * Adapters beside a language model in 4 bits (QLoRA, arXiv 2305.14314), a row at a time and layers computed twice: what a
 * machine of 16 GB without a GPU can hold. The steps are those of `lora.ts`.
 */
export default recipe({
  ...adapters,
  frozenWeights: "int4",
  accumulation: adapters.batchSize,
  activationCheckpointing: true,
  output: "runs/llava-1.5-7b/qlora",
});
