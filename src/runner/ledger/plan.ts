import type { GenerationRequest } from "../../protocol/index.ts";
import type { Answerer } from "../answerer.ts";
import { RequestKeys } from "../request-key.ts";
import type { Ledger } from "./ledger.ts";

/** What a run asks, by places counted from 0. */
export interface RequestPlan {
  readonly count: number;
  /** Unlike any other's. */
  idAt(place: number): string;
  requestAt(place: number): GenerationRequest;
  /** Counted from 0: what is asked again although it was answered is another request. */
  readonly round?: number;
}

/** Requests whose keys are made at once. */
const partSize = 1000;

/** Enters all of a plan, or the places given, as this process's plan of a ledger. */
export async function enterPlan(
  ledger: Ledger,
  plan: RequestPlan,
  answerer: Pick<Answerer, "id" | "identity">,
  places?: readonly number[],
): Promise<void> {
  const keys = new RequestKeys(answerer, ledger.digests);
  const { round = 0 } = plan;
  const count = places?.length ?? plan.count;
  for (let start = 0; start < count; start += partSize) {
    const part = Array.from({ length: Math.min(partSize, count - start) }, async (_, index) => {
      const place = places ? places[start + index]! : start + index;
      const { messages, sampling = {} } = plan.requestAt(place);
      const id = plan.idAt(place);
      return { id, key: await keys.of({ id, messages, sampling, round }) };
    });
    ledger.plan(await Promise.all(part));
  }
}
