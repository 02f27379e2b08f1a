import { openStageData } from "../../batches/open-data.ts";
import type { RowBatch } from "../../batches/row-batch.ts";
import type { ObjectiveInputs, PreparedObjective } from "../objective.ts";
import { evaluateSupervised } from "./evaluation.ts";
import { SupervisedObjective } from "./objective.ts";

export { SupervisedObjective } from "./objective.ts";

/** Answers of rows are learnt as they stand. */
export async function prepareSupervised({
  recipe,
  pretrained,
  generator,
  around,
}: ObjectiveInputs): Promise<PreparedObjective<RowBatch>> {
  const { encode, ...data } = await openStageData(recipe, pretrained, around);
  const recompute = recipe.activationCheckpointing ? { recompute: [generator] } : {};
  const objective = new SupervisedObjective(pretrained.model, encode, recompute);
  return { ...data, objective, evaluate: () => evaluateSupervised(objective, data.heldOut) };
}
