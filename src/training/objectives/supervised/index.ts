import { openStageData } from "../../batches/open-data.ts";
import type { RowBatch } from "../../batches/row-batch.ts";
import { checkpointsOf, type ObjectiveInputs, type PreparedObjective } from "../objective.ts";
import { evaluateSupervised } from "./evaluation.ts";
import { SupervisedObjective } from "./objective.ts";

export { SupervisedObjective } from "./objective.ts";

/** Answers of rows are learnt as they stand. */
export async function prepareSupervised(inputs: ObjectiveInputs): Promise<PreparedObjective<RowBatch>> {
  const { recipe, pretrained, around } = inputs;
  const { encode, ...data } = await openStageData(recipe, pretrained, around);
  const objective = new SupervisedObjective(pretrained.model, encode, checkpointsOf(inputs));
  return {
    ...data,
    objective,
    evaluate: () => evaluateSupervised(objective, data.heldOut, around.communicator),
  };
}
