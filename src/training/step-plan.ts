import { type Communicator, exchange } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import type { Batch } from "./objectives/objective.ts";

/** A step over all ranks. */
export interface StepPlan {
  readonly units: number;
  readonly tokens: number;
  /** Of each rank. */
  readonly tokensOf: readonly number[];
  /** Seconds of the step so far that this rank has not waited for others in. */
  readonly computing: () => number;
  /** Micro-batches of the rank that has most; others have fewer, or none. */
  readonly batches: number;
  /** Ids of all rows. */
  readonly samples: readonly string[];
  /** Whether a rank was told to end the run before this step. */
  readonly isStopped: boolean;
}

/**
 * What all ranks know of a step, by one exchange of what each has.
 * @throws LlavaError "data" where no rank has a row
 */
export function planStep(
  communicator: Communicator,
  batches: readonly Batch[],
  isStopped: boolean,
  computing = computingFrom(communicator),
): StepPlan {
  const total = (of: "units" | "tokens"): number => batches.reduce((sum, batch) => sum + batch[of], 0);
  const all = exchange(communicator, {
    units: total("units"),
    tokens: total("tokens"),
    batches: batches.length,
    samples: batches.flatMap(({ samples }) => samples),
    isStopped,
  });
  const sum = (of: "units" | "tokens"): number => all.reduce((sum, rank) => sum + rank[of], 0);
  const plan = {
    units: sum("units"),
    tokens: sum("tokens"),
    tokensOf: all.map(({ tokens }) => tokens),
    computing,
    batches: Math.max(...all.map((rank) => rank.batches)),
    samples: all.flatMap(({ samples }) => samples),
    isStopped: all.some((rank) => rank.isStopped),
  };
  if (plan.batches > 0 || plan.isStopped) return plan;
  throw new LlavaError("data", "no row of a whole step can be used", {
    hint: "Look at why rows are skipped: llava data check.",
  });
}

/** Tells the seconds from now on that this rank does not wait for others in. */
export function computingFrom(communicator: Communicator): () => number {
  const began = performance.now();
  const { waited: before = 0 } = communicator;
  return () => (performance.now() - began) / 1000 - ((communicator.waited ?? 0) - before);
}
