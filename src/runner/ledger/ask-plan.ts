import type { BatchEndpoint } from "../../client/index.ts";
import type { Answerer } from "../answerer.ts";
import { askInBatches, type BatchRun } from "./ask-in-batches.ts";
import { askPlanned, type PlannedRun } from "./ask-planned.ts";
import type { Ledger } from "./ledger.ts";
import type { RequestPlan } from "./plan.ts";

/** How a run asks, whatever it asks for. */
export interface AskOptions
  extends Pick<
    PlannedRun,
    "retry" | "price" | "budget" | "limits" | "sameReplies" | "signal" | "onProgress"
  > {
  /** How batches are sent, where there is an endpoint of them; by one process at a time. */
  readonly batching?: Pick<BatchRun, "room" | "pollMs" | "onNote"> | undefined;
}

export interface AskedPlan extends AskOptions {
  readonly ledger: Ledger;
  /** Entered in the ledger. */
  readonly plan: RequestPlan;
  readonly answerer: Answerer;
  /** Those that were entered, if not all. */
  readonly places?: readonly number[] | undefined;
  /** Asks by batches of the endpoint's. */
  readonly batches?: BatchEndpoint | undefined;
}

/** Asks what the ledger lacks of a plan, what failed before included. @throws what `askPlanned` or `askInBatches` throw */
export async function askPlan(asked: AskedPlan): Promise<void> {
  const { ledger, plan, answerer, places, batches, batching } = asked;
  ledger.retryFailed();
  const requestAt = (sequence: number) => plan.requestAt(places ? places[sequence]! : sequence);
  if (batches === undefined) return await askPlanned({ ...asked, requestAt });
  const besides = answerer.identity.length;
  await askInBatches({ ...asked, ...batching, endpoint: batches, requestAt, besides });
}
