import { fromTyped, scope, type Tensor } from "../torch/index.ts";

/**
 * Processes that work on one model together, as one of them sees them. All make the same calls in the same order, with tensors
 * of the same shapes and types; a call returns when its result is there.
 */
export interface Communicator {
  /** This process among them, from 0. */
  readonly rank: number;
  readonly size: number;
  /** Puts the sum over all ranks in each tensor's place: the same bits on every rank. */
  sum(tensors: readonly Tensor[]): void;
  /** [n, …] of each rank → [size · n, …], in the order of the ranks. */
  gather(part: Tensor): Tensor;
  /** [size · n, …] of each rank → [n, …]: of the sum over all ranks the part with this rank's number. */
  scatter(whole: Tensor): Tensor;
  /** Waits until every rank is here. */
  barrier(): void;
}

/** One process by itself. */
export const alone: Communicator = {
  rank: 0,
  size: 1,
  sum() {},
  gather: (part) => part.clone(),
  scatter: (whole) => whole.clone(),
  barrier() {},
};

/** Numbers, each summed over all ranks in float64. */
export function sumNumbers(communicator: Communicator, values: readonly number[]): readonly number[] {
  if (communicator.size === 1) return values;
  return scope(() => {
    const summed = fromTyped(Float64Array.from(values), { dtype: "float64" });
    communicator.sum([summed]);
    return summed.toNumbers();
  });
}
