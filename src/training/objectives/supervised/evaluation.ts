import type { Communicator } from "../../../distributed/index.ts";
import { aten } from "../../../torch/index.ts";
import type { RowBatch } from "../../batches/row-batch.ts";
import { evaluate } from "../evaluate.ts";
import type { Evaluation, Objective } from "../objective.ts";

/** The loss on held-out rows, and how far it rises where every image's features are exchanged for its neighbour's. */
export function evaluateSupervised(
  objective: Objective<RowBatch>,
  heldOut: readonly RowBatch[],
  communicator?: Communicator,
): Evaluation {
  const { loss: heldOutLoss } = evaluate(objective, heldOut, communicator);
  const mismatchedLoss = evaluateMismatched(objective, heldOut, communicator);
  return {
    measures: { heldOutLoss, mismatchedLoss },
    summary: `held-out loss ${heldOutLoss.toFixed(4)}, ${mismatchedLoss.toFixed(4)} with another image`,
  };
}

function evaluateMismatched(
  objective: Objective<RowBatch>,
  heldOut: readonly RowBatch[],
  communicator: Communicator | undefined,
): number {
  const exchanged = heldOut.map(
    (batch): RowBatch => ({ ...batch, images: batch.images && aten.roll(batch.images, [1], [0]) }),
  );
  try {
    return evaluate(objective, exchanged, communicator).loss;
  } finally {
    for (const { images } of exchanged) images?.dispose();
  }
}
