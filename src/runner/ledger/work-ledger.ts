import type { GenerationResult } from "../../protocol/index.ts";
import type { FileDigests } from "../request-key.ts";
import type { LedgerEntry } from "./entry.ts";
import type { Planned } from "./plan-table.ts";

/** What a worker has taken to ask. */
export interface Claim {
  /** The item's row. */
  readonly item: number;
  readonly key: string;
  /** Its place in the plan. */
  readonly sequence: number;
  /** What was planned with it, where that is kept. */
  readonly task?: string | null;
}

export interface Spending {
  /** Settled, that of unknown outcome included. */
  readonly spent: number;
  /** Of those spent: reserved for requests that may have been billed, and whose bill nobody saw. */
  readonly unknown: number;
  /** For requests under way. */
  readonly reserved: number;
}

export type LedgerCounts = Readonly<Record<LedgerEntry["state"], number>>;

/** A reply to an item. */
export interface Settlement {
  readonly item: number;
  readonly reply: GenerationResult;
  /** Undefined charges what was reserved. */
  readonly cost: number | undefined;
  readonly attempts: number;
}

/** What a request may cost at most. */
export interface Reservation {
  readonly item: number;
  readonly amount: number;
}

export type Reserved = "reserved" | "wait" | "exhausted" | "lost";

type Awaitable<T> = T | Promise<T>;

/** How fast all processes of a run may ask together. */
export interface WorkPace {
  /** Milliseconds until `amount` of what flows at `perMinute` may be taken, 0 when it was. */
  take(name: string, amount: number, perMinute: number): Awaitable<number>;
  /** Keeps all processes from asking for so long, as an endpoint wishes. */
  hold(milliseconds: number): Awaitable<void>;
  heldFor(): Awaitable<number>;
}

/** The work of a run as one sees it who asks, whether its ledger lies on this machine or on a server. */
export interface WorkLedger {
  readonly pace: WorkPace;
  /** Takes up to `count` items of the plan, those of workers that have died included. */
  claim(count: number): Awaitable<readonly Claim[]>;
  /**
   * Sets aside what requests may cost together, if that stays within `cap`: "wait" where requests under way may still give
   * some of theirs back. "lost": others took this worker for dead, and an item from it.
   */
  reserve(requests: readonly Reservation[], cap: number): Awaitable<Reserved>;
  /** Gives back what a request had reserved, or charges it in full where nobody saw the bill. */
  release(item: number, options: { readonly charge: boolean }): Awaitable<void>;
  /**
   * Keeps replies, and what they cost. Of two replies to an item the first is kept and both are paid. What it returns is on
   * the disk: for each how many items have this very text, up to 1,000.
   */
  settle(replies: readonly Settlement[]): Awaitable<readonly number[]>;
  fail(item: number, error: string, attempts: number): Awaitable<void>;
  /** Leaves an item to others. */
  unclaim(item: number): Awaitable<void>;
  /** Lets those of the plan that failed be asked again. */
  retryFailed(): Awaitable<void>;
  /** Whether items of the plan are with a worker, this one included. */
  isClaimed(): Awaitable<boolean>;
  /** Of this process's plan; of all where it has none. */
  counts(): Awaitable<LedgerCounts>;
  spending(): Awaitable<Spending>;
}

/** A ledger that keeps plans of very many items, and what came of them. */
export interface RunLedger extends WorkLedger {
  readonly plans: {
    /**
     * Takes a plan that is kept, by its name. Returns whether all of it is there; otherwise, or where it is to be renewed,
     * it is to be added anew.
     */
    keep(name: string, options?: { readonly isRenewed: boolean }): Awaitable<boolean>;
    /** @throws LlavaError "data" for a request that comes twice */
    add(requests: readonly Planned[]): Awaitable<void>;
    /** Says that all of it has been added. */
    complete(): Awaitable<void>;
    /** Runs `work`, which plans, while no other process does so. */
    alone<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  };
  /** Digests of image files. */
  readonly digests: FileDigests | undefined;
  /** The plan in its order, with what came of it, one by one. */
  entries(): Iterable<LedgerEntry> | AsyncIterable<LedgerEntry>;
  /** The model that most replies of the plan name. */
  mostServed(): Awaitable<string | undefined>;
}
