import { alone, type Communicator, meet } from "../../distributed/index.ts";
import { noGrad, scope } from "../../torch/index.ts";
import { type Batch, type Measures, type Objective, totals } from "./objective.ts";

/** What is measured on batches, means over their units. */
export interface Measured {
  readonly loss: number;
  /** See `Objective.loss`. */
  readonly noted: Measures;
}

/** Means over the units of all batches, without gradients. All ranks have the batches, and each computes a part of them. */
export function evaluate<B extends Batch>(
  objective: Objective<B>,
  batches: readonly B[],
  communicator: Communicator = alone,
): Measured {
  const { rank, size } = communicator;
  const units = batches.reduce((sum, batch) => sum + batch.units, 0);
  const sums: Record<string, number>[] = [];
  for (let start = 0; start < batches.length; start += size) {
    // What others compute has to be computed by all of them where they share the weights.
    const batch = batches[start + rank] ?? objective.idle?.(batches[start]);
    if (batch === undefined) continue;
    scope(() =>
      noGrad(() => {
        const noted: Record<string, number> = {};
        const loss = objective.loss(batch, (of) => Object.assign(noted, of)).item();
        sums.push({ loss, ...noted });
      }),
    );
    if (start + rank >= batches.length) batch[Symbol.dispose]();
  }
  const { loss = 0, ...noted } = totals(meet(communicator, totals(sums)));
  const means = Object.entries(noted).map(([name, sum]) => [name, sum / units] as const);
  return { loss: loss / units, noted: Object.fromEntries(means) };
}
