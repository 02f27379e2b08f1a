import { EndpointError } from "../client/index.ts";
import type { LlavaError } from "../errors.ts";

export interface RetryOptions {
  /** Times that a request is asked at most; 8. */
  readonly attempts?: number;
  /** Wait before the second attempt in milliseconds, doubled before each further one; 500. */
  readonly firstDelayMs?: number;
  /** The longest wait of its own; 60,000. */
  readonly maxDelayMs?: number;
  /** The longest that an endpoint's wish is honoured; 600,000. */
  readonly maxRetryAfterMs?: number;
}

/**
 * Milliseconds to wait after failed attempt number `attempt` (from 1), or undefined to give up. The wait is exponential
 * with half of it drawn from the request's key, so that requests that failed together do not come back together.
 */
export function retryDelay(
  error: LlavaError,
  attempt: number,
  key: string,
  { attempts = 8, firstDelayMs = 500, maxDelayMs = 60_000, maxRetryAfterMs = 600_000 }: RetryOptions = {},
): number | undefined {
  if (!(error instanceof EndpointError && error.retryable) || attempt >= attempts) return undefined;
  const longest = Math.min(maxDelayMs, firstDelayMs * 2 ** (attempt - 1));
  const start = (8 * (attempt - 1)) % key.length;
  const drawn = Number.parseInt(key.slice(start, start + 8), 16) / 2 ** 32;
  const own = longest * (0.5 + 0.5 * drawn);
  return Math.max(own, Math.min(error.retryAfterMs ?? 0, maxRetryAfterMs));
}
