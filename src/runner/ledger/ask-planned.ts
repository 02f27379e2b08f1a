import { setTimeout as sleep } from "node:timers/promises";
import { EndpointError } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import { costOf, type GenerationRequest, type Price } from "../../protocol/index.ts";
import type { Answerer } from "../answerer.ts";
import { type Attempted, askUntilAnswered, Patience } from "../attempts.ts";
import type { RetryOptions } from "../retry.ts";
import { mostCost, mostPromptTokens } from "./price.ts";
import type { Claim, LedgerCounts, Settlement, Spending, WorkLedger } from "./work-ledger.ts";

/** What all processes of a run may ask together. */
export interface Limits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
}

type RequestAt = (sequence: number, task?: string | null) => GenerationRequest | Promise<GenerationRequest>;

export interface PlannedRun {
  readonly ledger: WorkLedger;
  /** The request at a place of the ledger's plan. */
  readonly requestAt: RequestAt;
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
  if (budget !== undefined && (await ledger.counts()).todo > 0) await requireRoom(run, requestAt);
  const asking = new Asking(run);
  await Promise.all(Array.from({ length: answerer.concurrency }, (_, index) => asking.work(index)));
  run.onProgress?.(await ledger.counts(), await ledger.spending());
  if (signal?.aborted)
    throw new LlavaError("aborted", "stopped; replies so far are kept", {
      hint: "The same command goes on from there.",
    });
  if (asking.stop) throw asking.stop.error;
}

/** @throws LlavaError "budget" if not even one request fits */
async function requireRoom(
  { price, budget = 0, answerer, ledger }: PlannedRun,
  requestAt: RequestAt,
): Promise<void> {
  const [claim] = await ledger.claim(1);
  if (claim === undefined) return;
  await ledger.unclaim(claim.item);
  const first = await requestAt(claim.sequence, claim.task);
  const least = mostCost(first, price!, answerer.identity.length);
  if (!Number.isFinite(least))
    throw new LlavaError("usage", "a budget takes a longest reply", { hint: "Give its tokens." });
  const spending = await ledger.spending();
  if (spending.reserved === 0 && spending.spent + least > budget) throw spentUp(budget, spending, least);
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
  #claiming: Promise<void> | undefined;
  #nextTold = 0;

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
        const claims = await this.#claim();
        if (claims.length > 0) await this.#ask(claims).catch(ignoreUnsent);
        else if (await this.#run.ledger.isClaimed()) await this.#pause(100);
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
  async #claim(): Promise<Claim[]> {
    const { ledger, answerer } = this.#run;
    if (this.#claimed.length === 0) {
      const claim = async (): Promise<void> => {
        const count = Math.max(answerer.batchSize, Math.min(answerer.concurrency, 16));
        this.#claimed.push(...(await ledger.claim(count)));
        this.#claiming = undefined;
      };
      // Those who find nothing at once are helped by one claim.
      this.#claiming ??= claim();
      await this.#claiming;
    }
    return this.#claimed.splice(0, answerer.batchSize);
  }

  async #ask(claims: readonly Claim[]): Promise<void> {
    const { ledger, requestAt } = this.#run;
    const asked: PlannedRequest[] = [];
    for (const claim of claims) {
      const request = await requestAt(claim.sequence, claim.task);
      asked.push(new PlannedRequest(claim, request));
    }
    const failing: (void | Promise<void>)[] = [];
    const itemOf = (one: Attempted): number => (one as PlannedRequest).claim.item;
    try {
      await askUntilAnswered(asked, {
        ...this.#run,
        signal: this.#signal,
        before: async (requests) => {
          await Promise.all(failing.splice(0));
          await this.#wait(requests, itemOf);
        },
        failed: (request, error) => {
          const isEndpoint = error instanceof EndpointError;
          failing.push(ledger.release(itemOf(request), { charge: isEndpoint && error.mayBeBilled }));
          if (isEndpoint && error.status === 429 && error.retryAfterMs !== undefined)
            failing.push(
              ledger.pace.hold(Math.min(error.retryAfterMs, this.#run.retry?.maxRetryAfterMs ?? 600_000)),
            );
        },
      });
    } finally {
      await Promise.all(failing);
      await this.#store(asked);
    }
    await this.#progress();
  }

  async #store(asked: readonly PlannedRequest[]): Promise<void> {
    const { ledger, price, sameReplies = 20 } = this.#run;
    const replies: Settlement[] = [];
    for (const { claim, reply, attempts } of asked) {
      if (reply === undefined) {
        // Of one that was stopped under way nobody sees the bill.
        await ledger.release(claim.item, { charge: true });
        await ledger.unclaim(claim.item);
      } else if (reply instanceof LlavaError) await ledger.fail(claim.item, reply.message, attempts);
      else {
        const cost = price === undefined ? 0 : costOf(reply.usage, price);
        replies.push({ item: claim.item, reply, cost, attempts });
      }
    }
    const counts = replies.length > 0 ? await ledger.settle(replies) : [];
    let most = { count: 0, text: "" };
    for (const [index, count] of counts.entries()) {
      const { text } = replies[index]!.reply;
      if (count > most.count && text.trim() !== "") most = { count, text };
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
    for (;;) {
      const held = this.#isOver ? 0 : await ledger.pace.heldFor();
      if (held === 0) break;
      await this.#pause(held);
    }
    for (const [name, perMinute] of Object.entries(limits)) {
      if (perMinute === undefined) continue;
      const amount = requests.reduce(
        (sum, { request }) => sum + (name === "requestsPerMinute" ? 1 : likelyTokens(request)),
        0,
      );
      for (;;) {
        const wait = this.#isOver ? 0 : await ledger.pace.take(name, amount, perMinute);
        if (wait === 0) break;
        await this.#pause(wait);
      }
    }
    const amounts = requests.map((one) => ({
      item: itemOf(one),
      amount: price === undefined ? 0 : mostCost(one.request, price, answerer.identity.length),
    }));
    for (;;) {
      // What ends the run ends those that have sent nothing yet, too.
      if (this.#isOver) throw new Unsent();
      const state = await ledger.reserve(amounts, budget ?? Number.POSITIVE_INFINITY);
      if (state === "reserved") break;
      if (state === "lost") throw new Unsent();
      const most = amounts.reduce((sum, { amount }) => sum + amount, 0);
      if (state === "exhausted") throw spentUp(budget!, await ledger.spending(), most);
      await this.#pause(50);
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { signal: this.#signal }).catch(() => {});
  }

  async #progress(): Promise<void> {
    const { ledger, onProgress } = this.#run;
    const now = performance.now();
    if (onProgress === undefined || now < this.#nextTold) return;
    this.#nextTold = Number.POSITIVE_INFINITY;
    onProgress(await ledger.counts(), await ledger.spending());
    // Counting a million takes a while: it may take a fiftieth of the time.
    this.#nextTold = performance.now() + Math.max(1000, 50 * (performance.now() - now));
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
