import { objectiveOf } from "../recipe/recipe.ts";
import type { ObjectiveInputs } from "./objective.ts";
import { preparePreference } from "./preference/index.ts";
import { prepareSupervised } from "./supervised/index.ts";

export { evaluate } from "./evaluate.ts";
export type { Batch, BatchSource, Objective, PreparedObjective } from "./objective.ts";
export { SupervisedObjective } from "./supervised/index.ts";

/** By the types that a recipe's `objective` may have. */
const prepare = { supervised: prepareSupervised, preference: preparePreference };

/** Prepares the objective that a recipe names, with its data. */
export const prepareObjective = (inputs: ObjectiveInputs) => prepare[objectiveOf(inputs.recipe).type](inputs);
