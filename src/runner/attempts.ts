import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../client/index.ts";
import { LlavaError } from "../errors.ts";
import type { GenerationRequest, Reply } from "../protocol/index.ts";
import type { Answerer } from "./answerer.ts";
import { type RetryOptions, retryDelay } from "./retry.ts";

/** A request on its way. */
export interface Attempted {
  readonly key: string;
  readonly request: GenerationRequest;
  attempts: number;
  /** What came of it in the end; undefined while it is under way, and after an abort. */
  reply: Reply | undefined;
}

export interface AttemptOptions {
  readonly answerer: Answerer;
  readonly retry?: RetryOptions | undefined;
  readonly signal: AbortSignal;
  /** Called before each attempt. */
  readonly before?: (requests: readonly Attempted[]) => Promise<void>;
  /** Called for each attempt that failed, whether there will be another or not. */
  readonly failed?: (request: Attempted, error: LlavaError) => void;
}

/**
 * Asks until each request has a reply or a failure that stays. @throws what no other request could survive either: a wrong
 * key, an account without credit
 */
export async function askUntilAnswered(
  requests: readonly Attempted[],
  { answerer, retry, signal, before, failed }: AttemptOptions,
): Promise<void> {
  let waiting = requests;
  while (waiting.length > 0 && !signal.aborted) {
    await before?.(waiting);
    const replies = await answerer.answer(
      waiting.map(({ request }) => request),
      signal,
    );
    let pause = 0;
    let fatal: EndpointError | undefined;
    waiting = waiting.filter((asked, index) => {
      const reply = replies[index]!;
      asked.attempts++;
      if (!(reply instanceof LlavaError)) {
        if (reply.reason !== "aborted") asked.reply = reply;
        return false;
      }
      if (reply.code === "aborted") return false;
      failed?.(asked, reply);
      if (reply instanceof EndpointError && reply.fatal) fatal ??= reply;
      const delay = retryDelay(reply, asked.attempts, asked.key, retry);
      if (delay === undefined) asked.reply = reply;
      else pause = Math.max(pause, delay);
      return delay !== undefined;
    });
    if (fatal) throw fatal;
    if (waiting.length > 0) await sleep(pause, undefined, { signal }).catch(() => {});
  }
}

/** Requests that may fail one after the other, for each that is under way at once, before the endpoint counts as gone. */
const patience = 4;

/** Tells an endpoint that is gone from one that stumbles. */
export class Patience {
  readonly #longest: number;
  #failedInARow = 0;

  constructor({ concurrency }: Answerer) {
    this.#longest = Math.max(16, patience * concurrency);
  }

  /** @throws LlavaError "network" when nothing but failures that should have passed has come for long */
  watch(reply: Reply | undefined): void {
    const gone = reply instanceof EndpointError && reply.retryable;
    this.#failedInARow = gone ? this.#failedInARow + 1 : 0;
    if (gone && this.#failedInARow >= this.#longest)
      throw new LlavaError(
        "network",
        `gave up after ${this.#failedInARow} failures in a row: ${reply.message}`,
        {
          hint: "Answers so far are kept; the same command goes on once the endpoint is back.",
          cause: reply,
        },
      );
  }
}
