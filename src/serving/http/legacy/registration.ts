import { setTimeout as wait } from "node:timers/promises";
import type { WorkerStatus } from "./controller.ts";
import { smallJson } from "./small-json.ts";

/** Milliseconds between signs of life. */
const BEAT = 15_000;
const PATIENCE = 5000;

export interface Registration {
  /** Of a controller of the original LLaVA. */
  readonly controller: string;
  /** Under which the controller reaches this server. */
  readonly address: string;
  readonly status: () => WorkerStatus;
  /** Told where the controller does not answer. */
  readonly report: (line: string) => void;
}

/** Has a controller know this server as a worker until the signal aborts. */
export async function keepRegistered(
  { controller, address, status, report }: Registration,
  signal: AbortSignal,
  beat = BEAT,
): Promise<void> {
  const post = async (path: string, body: object): Promise<unknown> => {
    const response = await fetch(`${controller}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
    });
    if (!response.ok) throw new Error(`answers ${response.status}`);
    return await smallJson(response);
  };
  let isKnown = false;
  while (!signal.aborted) {
    try {
      if (isKnown) {
        const { exist } = (await post("/receive_heart_beat", {
          worker_name: address,
          queue_length: status().queue_length,
        })) as { exist: boolean };
        isKnown = exist;
      }
      if (!isKnown)
        await post("/register_worker", {
          worker_name: address,
          check_heart_beat: true,
          worker_status: status(),
        });
      isKnown = true;
    } catch (error) {
      if (!signal.aborted) report(`the controller at ${controller} ${(error as Error).message}`);
    }
    await wait(beat, undefined, { signal, ref: false }).catch(() => {});
  }
}
