import { ApiError } from "../api-error.ts";
import { defaultLimits } from "../limits.ts";
import { byAffinity } from "./affinity.ts";

/** A process that answers in this one's place. */
export interface Replica {
  readonly index: number;
  /** Undefined while it starts. */
  url: string | undefined;
  /** The key that it wants. */
  readonly key: string;
  /** When it last said that it goes on, in milliseconds of `performance.now`; it does so each second, but for a step that is stuck. */
  heard?: number;
  /** Requests that it is asked now. */
  underWay: number;
}

/** A replica is passed over for its neighbours from this many times their mean, and one more. */
const IMBALANCE = 1.5;
/** Seconds after which a replica is likely to have started. */
const RETRY_AFTER = 5;

export class ReplicaSet {
  readonly all: readonly Replica[];
  readonly #stepSeconds: number;

  /** One that says nothing for `stepSeconds` is stuck. */
  constructor(count: number, key: string, stepSeconds = defaultLimits.stepSeconds) {
    this.#stepSeconds = stepSeconds;
    this.all = Array.from({ length: count }, (_, index) => ({ index, url: undefined, key, underWay: 0 }));
  }

  get started(): readonly Replica[] {
    return this.all.filter(({ url }) => url !== undefined);
  }

  /** Those that have started and go on. */
  get wellOff(): readonly Replica[] {
    const since = performance.now() - this.#stepSeconds * 1000;
    return this.started.filter(({ heard = Number.POSITIVE_INFINITY }) => heard >= since);
  }

  /** Those to ask, best first: where the request's like was, unless that has much more to do than the others. @throws ApiError 503 */
  inOrder(affinity: string): Replica[] {
    const started = byAffinity(this.wellOff, affinity);
    if (started.length === 0)
      throw new ApiError(503, "model_loading", "No process answers yet.", { retryAfter: RETRY_AFTER });
    const mean = started.reduce((sum, { underWay }) => sum + underWay, 0) / started.length;
    const isFree = ({ underWay }: Replica): boolean => underWay <= IMBALANCE * mean + 1;
    return [...started.filter(isFree), ...started.filter((replica) => !isFree(replica))];
  }
}
