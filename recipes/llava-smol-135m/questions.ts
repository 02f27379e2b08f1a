import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/**
 * The second half of stage 2: as the first, on rows with more questions, most of them to be answered yes or no, which
 * the first half had too few of to learn. It goes on from the first half's projector and adapter.
 */
export default recipe({ ...finetune, maxSteps: 150 });
