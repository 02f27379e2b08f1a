import { noGrad, scope } from "../../torch/index.ts";
import type { Batch, Objective } from "./objective.ts";

/** Mean loss over the units of all batches, without gradients. */
export function evaluate<B extends Batch>(objective: Objective<B>, batches: readonly B[]): number {
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  return (
    noGrad(() => batches.reduce((sum, batch) => sum + scope(() => objective.loss(batch).item()), 0)) / units
  );
}
