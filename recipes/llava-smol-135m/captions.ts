import { recipe } from "llava/training";
import finetune from "./finetune.ts";

/**
 * The end of stage 2: more captions, of other photos than those its halves saw. It goes on from the projector and
 * adapter before it.
 */
export default recipe({
  ...finetune,
  optimizer: { learningRate: 7e-4, projectorLearningRate: 3e-4 },
  maxSteps: 560,
  seed: 2,
});
