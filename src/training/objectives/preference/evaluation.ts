import { noGrad, scope } from "../../../torch/index.ts";
import type { Evaluation, Objective } from "../objective.ts";
import type { PairBatch } from "./pair-batch.ts";

/** The loss on held-out pairs, and how they are told apart. */
export function evaluatePreference(
  objective: Objective<PairBatch>,
  heldOut: readonly PairBatch[],
): Evaluation {
  const pairs = heldOut.reduce((sum, { units }) => sum + units, 0);
  const sums: Record<string, number> = {};
  let loss = 0;
  for (const batch of heldOut)
    loss += scope(() =>
      noGrad(() =>
        objective
          .loss(batch, (measured) => {
            for (const [name, value] of Object.entries(measured)) sums[name] = (sums[name] ?? 0) + value;
          })
          .item(),
      ),
    );
  const means = Object.fromEntries(
    Object.entries(sums).map(([name, sum]) => [`heldOut/${name}`, sum / pairs] as const),
  );
  const heldOutLoss = loss / pairs;
  const [accuracy, margin] = ["accuracies", "margins"].map((name) => means[`heldOut/rewards/${name}`] ?? 0);
  return {
    measures: { heldOutLoss, ...means },
    summary: `held-out loss ${heldOutLoss.toFixed(4)}, ${(100 * accuracy!).toFixed(1)} % of pairs told apart, margin ${margin!.toFixed(4)}`,
  };
}
