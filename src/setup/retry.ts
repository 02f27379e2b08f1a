import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import { isRefusal } from "../files/index.ts";

export interface RetryOptions {
  /** Further attempts after a failure that may pass; 4. */
  retries?: number;
  /** Milliseconds before the first of them; doubled for each next one, unless the server says how long to wait. */
  pause?: number;
  /** Whether the last attempt got further than those before, so that attempts are counted anew. */
  hasProgressed?: () => boolean;
  /** One line for the user about a wait that can be noticed. */
  report?: ((line: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** Seconds that a server may ask to wait: the hub counts requests over five minutes. */
const LONGEST_WAIT = 300;
/** Milliseconds of a wait of which the user is told. */
const NOTICEABLE = 3000;

/** A server's answer that another time may be another one. */
export class Unavailable extends Error {
  readonly status: number;
  /** Seconds that the server asks to wait. */
  readonly wait: number | undefined;

  constructor({ statusCode: status = 0, headers }: Pick<IncomingMessage, "statusCode" | "headers">) {
    const wait = secondsToWait(headers);
    super(`status ${status}${wait === undefined ? "" : `, to be asked again in ${wait} s`}`);
    this.status = status;
    this.wait = wait;
  }

  static includes(status: number): boolean {
    return status === 408 || status === 429 || status >= 500;
  }
}

/** From `Retry-After`, in seconds or as a date, or from the hub's `RateLimit: "api";r=0;t=SECONDS` when nothing is left. */
function secondsToWait(headers: IncomingHttpHeaders): number | undefined {
  const text = headers["retry-after"]?.trim() ?? "";
  if (/^\d+$/.test(text)) return Number(text);
  const date = Date.parse(text);
  if (!Number.isNaN(date)) return Math.max(0, Math.ceil((date - Date.now()) / 1000));
  const limit = String(headers["ratelimit"] ?? "").match(/;\s*r\s*=\s*0\s*;\s*t\s*=\s*(\d+)/)?.[1];
  return limit === undefined ? undefined : Number(limit);
}

/** Does `work` again while it fails in a way that may pass: neither by a LlavaError, nor by the file system. */
export async function withRetries<Result>(
  work: () => Promise<Result>,
  { retries = 4, pause = 1000, hasProgressed, report, signal }: RetryOptions = {},
): Promise<Result> {
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LlavaError || isRefusal(error)) throw error;
      if (hasProgressed?.()) failures = 1;
      const asked = error instanceof Unavailable ? error.wait : undefined;
      if (failures > retries || (asked ?? 0) > LONGEST_WAIT) throw error;
      const wait = asked === undefined ? pause * 2 ** (failures - 1) : asked * 1000;
      if (wait >= NOTICEABLE)
        report?.(`${(error as Error).message}; trying again in ${Math.round(wait / 1000)} s.`);
      await sleep(wait, undefined, signal ? { signal } : {});
    }
  }
}
