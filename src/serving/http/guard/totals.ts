import { ApiError } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

/** What is summed over all requests. */
export type Held = "bytes" | "pixels" | "frames" | "nodes";

/** Seconds that a client is asked to wait for others to end. */
const RETRY_AFTER = 2;

/** What all requests under way hold together. */
export class Totals {
  readonly #most: Readonly<Record<Held, number>>;
  readonly #held: Record<Held, number> = { bytes: 0, pixels: 0, frames: 0, nodes: 0 };

  constructor({ totalBytes, totalPixels, totalFrames, totalNodes }: ServerLimits) {
    this.#most = { bytes: totalBytes, pixels: totalPixels, frames: totalFrames, nodes: totalNodes };
  }

  held(what: Held): number {
    return this.#held[what];
  }

  /** The share of one request, given back when it is disposed. */
  open(): Holding {
    return new Holding(this.#held, this.#most);
  }
}

export class Holding implements Disposable {
  readonly #all: Record<Held, number>;
  readonly #most: Readonly<Record<Held, number>>;
  readonly #own: Record<Held, number> = { bytes: 0, pixels: 0, frames: 0, nodes: 0 };

  constructor(all: Record<Held, number>, most: Readonly<Record<Held, number>>) {
    this.#all = all;
    this.#most = most;
  }

  /** @throws ApiError 503 where all requests together would hold too much, 413 where this one alone would */
  take(what: Held, amount: number): void {
    const most = this.#most[what];
    if (this.#own[what] + amount > most)
      throw new ApiError(
        413,
        "request_too_large",
        `The request has more than ${most} ${what}, which is all that the server holds at once.`,
      );
    if (this.#all[what] + amount > most)
      throw new ApiError(
        503,
        "server_busy",
        `Requests under way hold as many ${what} as the server may at once (${most}).`,
        {
          retryAfter: RETRY_AFTER,
        },
      );
    this.#own[what] += amount;
    this.#all[what] += amount;
  }

  release(what: Held): void {
    this.#all[what] -= this.#own[what];
    this.#own[what] = 0;
  }

  [Symbol.dispose](): void {
    for (const what of Object.keys(this.#own)) this.release(what as Held);
  }
}
