import { ApiError } from "../api-error.ts";
import { byAffinity } from "./affinity.ts";

/** A process that answers in this one's place. */
export interface Replica {
  readonly index: number;
  /** Undefined while it starts. */
  url: string | undefined;
  /** The key that it wants. */
  readonly key: string;
  /** Requests that it is asked now. */
  underWay: number;
}

/** A replica is passed over for its neighbours from this many times their mean, and one more. */
const IMBALANCE = 1.5;
/** Seconds after which a replica is likely to have started. */
const RETRY_AFTER = 5;

export class ReplicaSet {
  readonly all: readonly Replica[];

  constructor(count: number, key: string) {
    this.all = Array.from({ length: count }, (_, index) => ({ index, url: undefined, key, underWay: 0 }));
  }

  get started(): readonly Replica[] {
    return this.all.filter(({ url }) => url !== undefined);
  }

  /** Those to ask, best first: where the request's like was, unless that has much more to do than the others. @throws ApiError 503 */
  inOrder(affinity: string): Replica[] {
    const started = byAffinity(this.started, affinity);
    if (started.length === 0)
      throw new ApiError(503, "model_loading", "No process answers yet.", { retryAfter: RETRY_AFTER });
    const mean = started.reduce((sum, { underWay }) => sum + underWay, 0) / started.length;
    const isFree = ({ underWay }: Replica): boolean => underWay <= IMBALANCE * mean + 1;
    return [...started.filter(isFree), ...started.filter((replica) => !isFree(replica))];
  }
}
