import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type BatchEndpoint, type BatchState, EndpointError } from "../../client/index.ts";
import { LlavaError } from "../../errors.ts";
import { costOf } from "../../protocol/index.ts";
import { type PlannedRun, spentUp } from "./ask-planned.ts";
import type { Ledger } from "./ledger.ts";
import { mostCost, mostPromptTokens } from "./price.ts";
import type { Claim, Settlement } from "./work-ledger.ts";

/** What one batch may hold; those of OpenAI if left out. */
export interface BatchLimits {
  readonly requests?: number | undefined;
  readonly bytes?: number | undefined;
  /** Prompts' tokens that may wait at the endpoint in all batches; it depends on model and account. */
  readonly tokens?: number | undefined;
}

export interface BatchRun
  extends Pick<PlannedRun, "requestAt" | "price" | "budget" | "signal" | "onProgress"> {
  readonly ledger: Ledger;
  readonly endpoint: BatchEndpoint;
  /** What belongs to every request beside its messages, in bytes. */
  readonly besides?: number;
  readonly room?: BatchLimits | undefined;
  /** Milliseconds between two looks at the endpoint; 30,000. */
  readonly pollMs?: number;
  /** Told of what went otherwise than it should, once each. */
  readonly onNote?: (note: string) => void;
}

/** Of the price, where requests come in batches. */
const discount = 0.5;
/** Times that what a batch left open is sent again. */
const longestLine = 4;
/** Requests that are claimed together: a few hundred photos fill a batch. */
const claimedAtOnce = 1000;
/** Replies of a batch that are stored together. */
const settledAtOnce = 200;
/** Looks in a row that find nothing before a batch counts as lost. */
const patience = 5;

/**
 * Asks what the plan lacks by OpenAI's Batch API. A batch is in the ledger before it is sent, so that a process that is
 * killed finds it again; what an expired, cancelled or lost one leaves open is sent again.
 * @throws LlavaError "budget", "aborted"; "data" for a batch that the endpoint does not take
 */
export async function askInBatches(run: BatchRun): Promise<void> {
  const { ledger, endpoint, signal, pollMs = 30_000, onNote } = run;
  for (const { name, remote } of ledger.batches.underWay())
    if (remote === undefined) {
      const found = await endpoint.find(name, signal);
      if (found === undefined) ledger.endBatch(name, { charge: false });
      else ledger.batches.rename(name, found);
    }
  const { requests = 50_000, bytes = 190e6, tokens = Number.POSITIVE_INFINITY } = run.room ?? {};
  const room = { requests, bytes, tokens };
  const lost = new Map<string, number>();
  let left = 0;
  for (;;) {
    signal?.throwIfAborted();
    const open = ledger.batches.underWay();
    // One at a time where tokens are counted: what waits at the endpoint is then one batch.
    const mayAdd = open.length === 0 || room.tokens === Number.POSITIVE_INFINITY;
    if (mayAdd && left < longestLine && (await submit(run, room))) continue;
    if (ledger.batches.underWay().length === 0) break;
    await sleep(pollMs, undefined, signal && { signal }).catch(() => {});
    for (const { name, remote } of ledger.batches.underWay()) {
      if (remote === undefined) continue;
      const state = await endpoint.look(remote, signal).catch((error: unknown) => {
        if (!(error instanceof EndpointError) || signal?.aborted) throw error;
        if (error.fatal && error.status !== 404) throw error;
        const times = (lost.get(name) ?? 0) + 1;
        lost.set(name, times);
        if (times < patience) return undefined;
        onNote?.(`Batch ${remote} has vanished at the endpoint; its requests are sent again.`);
        ledger.endBatch(name, { charge: true });
        left++;
        return undefined;
      });
      if (!state?.hasEnded) continue;
      const refused = state.errors.find(({ code }) => code !== "");
      if (state.status === "failed" && refused?.code === "token_limit_exceeded") {
        ledger.endBatch(name, { charge: false });
        room.tokens = Math.min(room.tokens, 2e6) / 2;
        onNote?.(`The endpoint takes fewer tokens at once; batches of ${room.tokens} follow one by one.`);
        continue;
      }
      if (state.status === "failed" && state.files.length === 0) {
        ledger.endBatch(name, { charge: false });
        const where = refused?.line === undefined ? "" : ` at line ${refused.line}`;
        throw new LlavaError(
          "data",
          `the endpoint does not take a batch${where}: ${refused?.code} ${refused?.message}`,
          {
            hint: "The same command without the batch API asks one by one.",
          },
        );
      }
      const open = await collect(run, name, state);
      if (open > 0) {
        left++;
        onNote?.(`Batch ${remote} was ${state.status}; ${open} of its requests are sent again.`);
      }
    }
    run.onProgress?.(ledger.counts(), ledger.spending());
  }
  const { todo } = ledger.counts();
  if (todo > 0)
    throw new LlavaError(
      "network",
      `${todo} requests have no reply after ${longestLine} batches that left some open`,
      {
        hint: "Replies are kept; the same command sends the others again.",
      },
    );
}

/** Sends one batch of what is left. Returns whether there was any. */
async function submit(
  run: BatchRun,
  room: Required<{ [Key in keyof BatchLimits]: number }>,
): Promise<boolean> {
  const { ledger, endpoint, requestAt, price, budget = Number.POSITIVE_INFINITY, besides = 0, signal } = run;
  const taken: Claim[] = [];
  const lines: string[] = [];
  let [bytes, tokens, isFull] = [0, 0, false];
  let exhausted: LlavaError | undefined;
  while (!isFull) {
    const claims = ledger.claim(Math.min(claimedAtOnce, room.requests - taken.length));
    if (claims.length === 0) break;
    for (const claim of claims) {
      if (isFull) {
        ledger.unclaim(claim.item);
        continue;
      }
      const request = await requestAt(claim.sequence, claim.task);
      const line = await endpoint.line(claim.key, request);
      const size = Buffer.byteLength(line) + 1;
      const length = Math.ceil(mostPromptTokens(request) / 4);
      isFull = taken.length > 0 && (bytes + size > room.bytes || tokens + length > room.tokens);
      const most = price === undefined ? 0 : discount * mostCost(request, price, besides);
      const state = isFull ? "wait" : ledger.reserve([{ item: claim.item, amount: most }], budget);
      if (state === "reserved") {
        taken.push(claim);
        lines.push(line);
        bytes += size;
        tokens += length;
        continue;
      }
      isFull = true;
      ledger.unclaim(claim.item);
      if (state === "exhausted" && taken.length === 0 && ledger.batches.underWay().length === 0)
        exhausted = spentUp(budget, ledger.spending(), most);
    }
  }
  if (exhausted) throw exhausted;
  if (taken.length === 0) return false;
  const name = `llava-${randomUUID()}`;
  ledger.batches.begin(
    name,
    taken.map(({ item }) => item),
  );
  ledger.batches.rename(name, await endpoint.submit(lines, name, signal));
  return true;
}

/** Stores what a batch gave. Returns how many of its requests it left without a reply or a failure that stays. */
async function collect(
  { ledger, endpoint, price, signal }: BatchRun,
  name: string,
  state: BatchState,
): Promise<number> {
  let settlements: Settlement[] = [];
  const settle = async (): Promise<void> => {
    await ledger.settle(settlements, name);
    settlements = [];
  };
  for (const id of state.files)
    for await (const { key, reply } of endpoint.results(id, signal)) {
      const item = ledger.batches.itemOf(name, key);
      if (item === undefined) continue; // came twice, or belongs to nobody
      if (reply instanceof EndpointError) {
        if (!reply.retryable) ledger.fail(item, reply.message, 1, name);
        continue;
      }
      const cost = price === undefined ? 0 : costOf(reply.usage, price);
      settlements.push({ item, reply, cost: cost === undefined ? undefined : discount * cost, attempts: 1 });
      if (settlements.length === settledAtOnce) await settle();
    }
  await settle();
  return ledger.endBatch(name, { charge: false });
}
