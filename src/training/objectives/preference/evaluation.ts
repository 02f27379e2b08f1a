import type { Communicator } from "../../../distributed/index.ts";
import { evaluate } from "../evaluate.ts";
import type { Evaluation, Objective } from "../objective.ts";
import type { PairBatch } from "./pair-batch.ts";

/** The loss on held-out pairs, and how they are told apart. */
export function evaluatePreference(
  objective: Objective<PairBatch>,
  heldOut: readonly PairBatch[],
  communicator?: Communicator,
): Evaluation {
  const { loss: heldOutLoss, noted } = evaluate(objective, heldOut, communicator);
  const means = Object.fromEntries(
    Object.entries(noted).map(([name, mean]) => [`heldOut/${name}`, mean] as const),
  );
  const [accuracy, margin] = ["accuracies", "margins"].map((name) => means[`heldOut/rewards/${name}`] ?? 0);
  return {
    measures: { heldOutLoss, ...means },
    summary: `held-out loss ${heldOutLoss.toFixed(4)}, ${(100 * accuracy!).toFixed(1)} % of pairs told apart, margin ${margin!.toFixed(4)}`,
  };
}
