import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import { costOf, type GenerationRequest, type Price } from "../../protocol/index.ts";
import type { Answerer } from "../answerer.ts";
import { type Attempted, askUntilAnswered, Patience } from "../attempts.ts";
import type { RetryOptions } from "../retry.ts";
import type { Claim, Ledger, LedgerCounts, Spending } from "./ledger.ts";
import { mostCost, mostPromptTokens } from "./price.ts";

/** What all processes of a run may ask together. */
export interface Limits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

export interface PlannedRun {
  readonly ledger: Ledger;
  /** The request at a place of the ledger's plan. */
  readonly requestAt: (sequence: number) => GenerationRequest;
  readonly answerer: Answerer;
  readonly retry?: RetryOptions | undefined;
  readonly price?: Price | undefined;
  /** What the ledger may have spent in all; takes a price. */
  readonly budget?: number | undefined;
  readonly limits?: Limits | undefined;
  /** Items that may have the same reply before the endpoint counts as broken, below 1,000 or infinite; 20. */
  readonly sameReplies?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called about once a second, and at the end. */
  readonly onProgress?: ((counts: LedgerCounts, spending: Spending) => void) | undefined;
}

/**
 * Asks what the plan lacks, together with any other process that does so. A reply that is stored is never asked for again;
 * a process that is killed costs at most the requests that it had under way, which are charged in full.
 * @throws LlavaError "budget" where the next request might go beyond it, "aborted" after an abort, "data" where one text
 * is the reply to many items, and what `askUntilAnswered` throws
 */
export async function askPlanned(run: PlannedRun): Promise<void> {
  const { answerer, price, budget, requestAt, ledger, signal } = run;
  if (budget !== undefined && (price === undefined || answerer.batchSize > 1))
    throw new LlavaError("usage", "a budget takes an endpoint with a price", { hint: "Give the price." });
  if (budget !== undefined && ledger.counts().todo > 0) requireRoom(run, requestAt(0));
  const asking = new Asking(run);
  await Promise.all(Array.from({ length: answerer.concurrency }, (_, index) => asking.work(index)));
  run.onProgress?.(ledger.counts(), ledger.spending());
  if (signal?.aborted)
    throw new LlavaError("aborted", "stopped; replies so far are kept", {
      hint: "The same command goes on from there.",
    });
  if (asking.stop) throw asking.stop.error;
}

/** @throws LlavaError "budget" if not even one request fits */
function requireRoom({ price, budget = 0, answerer, ledger }: PlannedRun, first: GenerationRequest): void {
  const least = mostCost(first, price!, answerer.identity.length);
  if (!Number.isFinite(least))
    throw new LlavaError("usage", "a budget takes a longest reply", { hint: "Give its tokens." });
  const { spent, reserved } = ledger.spending();
  if (reserved === 0 && spent + least > budget) throw spentUp(budget, ledger.spending(), least);
}

export function spentUp(budget: number, { spent, unknown }: Spending, next: number): LlavaError {
  const of = unknown > 0 ? `, ${money(unknown)} of it for requests whose bill nobody saw` : "";
  return new LlavaError(
    "budget",
    `the budget of ${money(budget)} is used up: ${money(spent)} spent${of}; the next request may cost ${money(next)}`,
    {
      hint: `Replies are kept. The same command with a budget of at least ${money(roundedUp(spent + next))} goes on.`,
    },
  );
}

/** An amount to at least two digits. */
export const money = (amount: number): string =>
  amount >= 1 ? amount.toFixed(2) : amount === 0 ? "0" : String(Number(amount.toPrecision(2)));

/** To what `money` shows in full, so that the amount named is enough. */
function roundedUp(amount: number): number {
  const unit = amount >= 1 ? 0.01 : 10 ** (Math.floor(Math.log10(amount)) - 1);
  return Math.ceil(amount / unit) * unit;
}

class Asking {
  stop: { readonly error: unknown } | undefined;
  readonly #run: PlannedRun;
  readonly #signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #patience: Patience;
  readonly #claimed: Claim[] = [];
  #told = 0;

  constructor(run: PlannedRun) {
    this.#run = run;
    const own = this.#controller.signal;
    this.#signal = run.signal ? AbortSignal.any([own, run.signal]) : own;
    this.#patience = new Patience(run.answerer);
  }

  get #isOver(): boolean {
    return this.#signal.aborted || this.stop !== undefined;
  }

  async work(index: number): Promise<void> {
    try {
      // Not all at once: an endpoint that answers in equal times would get and give everything in bursts.
      if (index > 0) await sleep(index);
      while (!this.#isOver) {
        const claims = this.#claim();
        if (claims.length > 0) await this.#ask(claims).catch(ignoreUnsent);
        else if (this.#run.ledger.isClaimed) await this.#pause(100);
        else return;
      }
    } catch (error) {
      this.stop ??= { error };
      // What a budget or a broken endpoint ends may finish what is under way: it is paid for.
      const isCalm = error instanceof LlavaError && ["budget", "data"].includes(error.code);
      if (!isCalm) this.#controller.abort();
    }
  }

  /** A call's worth of items; a few more are taken at once, and lie ready. */
  #claim(): Claim[] {
    const { ledger, answerer } = this.#run;
    if (this.#claimed.length === 0)
      this.#claimed.push(...ledger.claim(Math.max(answerer.batchSize, Math.min(answerer.concurrency, 16))));
    return this.#claimed.splice(0, answerer.batchSize);
  }

  async #ask(claims: readonly Claim[]): Promise<void> {
    const { ledger, requestAt } = this.#run;
    const asked = claims.map((claim) => new PlannedRequest(claim, requestAt(claim.sequence)));
    const itemOf = (one: Attempted): number => (one as PlannedRequest).claim.item;
    try {
      await askUntilAnswered(asked, {
        ...this.#run,
        signal: this.#signal,
        before: (requests) => this.#wait(requests, itemOf),
        failed: (request, error) => {
          const isEndpoint = error instanceof EndpointError;
          ledger.release(itemOf(request), { charge: isEndpoint && error.mayBeBilled });
          if (isEndpoint && error.status === 429 && error.retryAfterMs !== undefined)
            ledger.pace.hold(Math.min(error.retryAfterMs, this.#run.retry?.maxRetryAfterMs ?? 600_000));
        },
      });
    } finally {
      this.#store(asked);
    }
    this.#progress();
  }

  #store(asked: readonly PlannedRequest[]): void {
    const { ledger, price, sameReplies = 20 } = this.#run;
    let most = { count: 0, text: "" };
    for (const { claim, reply, attempts } of asked) {
      if (reply === undefined) {
        // Of one that was stopped under way nobody sees the bill.
        ledger.release(claim.item, { charge: true });
        ledger.unclaim(claim.item);
      } else if (reply instanceof LlavaError) ledger.fail(claim.item, reply.message, attempts);
      else {
        const cost = price === undefined ? 0 : costOf(reply.usage, price);
        const count = ledger.settle(claim.item, reply, cost, attempts);
        if (count > most.count && reply.text.trim() !== "") most = { count, text: reply.text };
      }
    }
    for (const { reply } of asked) this.#patience.watch(reply);
    if (most.count > sameReplies)
      throw new LlavaError(
        "data",
        `${most.count} items got one and the same reply: ${most.text.slice(0, 200)}`,
        {
          hint: "The endpoint answers something else than what it is asked; begin anew with another ledger once it is mended.",
        },
      );
  }

  /** Until requests may be sent: the endpoint's wish, limits and budget are those of all processes. */
  async #wait(requests: readonly Attempted[], itemOf: (one: Attempted) => number): Promise<void> {
    const { ledger, limits = {}, price, budget, answerer } = this.#run;
    for (let held = ledger.pace.heldFor(); held > 0 && !this.#isOver; held = ledger.pace.heldFor())
      await this.#pause(held);
    for (const [name, perMinute] of Object.entries(limits)) {
      if (perMinute === undefined) continue;
      const amount = requests.reduce(
        (sum, { request }) => sum + (name === "requestsPerMinute" ? 1 : likelyTokens(request)),
        0,
      );
      for (;;) {
        const wait = this.#isOver ? 0 : ledger.pace.take(name, amount, perMinute);
        if (wait === 0) break;
        await this.#pause(wait);
      }
    }
    for (const one of requests) {
      const most = price === undefined ? 0 : mostCost(one.request, price, answerer.identity.length);
      for (;;) {
        // What ends the run ends those that have sent nothing yet, too.
        if (this.#isOver) throw new Unsent();
        const state = ledger.reserve(itemOf(one), most, budget ?? Number.POSITIVE_INFINITY);
        if (state === "reserved") break;
        if (state === "lost") throw new Unsent();
        if (state === "exhausted") throw spentUp(budget!, ledger.spending(), most);
        await this.#pause(50);
      }
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#signal }).catch(() => {});
  }

  #progress(): void {
    const { ledger, onProgress } = this.#run;
    if (onProgress === undefined || performance.now() - this.#told < 1000) return;
    this.#told = performance.now();
    onProgress(ledger.counts(), ledger.spending());
  }
}

/** For requests that were claimed and are left to others. */
class Unsent extends Error {}

function ignoreUnsent(error: unknown): void {
  if (!(error instanceof Unsent)) throw error;
}

/** A prompt's characters by four, and the longest reply. */
const likelyTokens = (request: GenerationRequest): number =>
  Math.ceil(mostPromptTokens(request) / 4) + (request.sampling?.maxTokens ?? 0);

class PlannedRequest implements Attempted {
  readonly claim: Claim;
  readonly key: string;
  readonly request: GenerationRequest;
  attempts = 0;
  reply: Attempted["reply"];

  constructor(claim: Claim, request: GenerationRequest) {
    this.claim = claim;
    this.key = claim.key;
    this.request = request;
  }
}
