import { z } from "zod";
import { smallJson } from "./small-json.ts";

/** What a worker says of itself. */
export const workerStatusSchema = z.object({
  model_names: z.array(z.string()),
  speed: z.number().gt(0),
  queue_length: z.number().min(0),
});
export type WorkerStatus = Readonly<z.infer<typeof workerStatusSchema>>;

interface Worker {
  readonly status: WorkerStatus;
  /** Grows with each address that is handed out, until the worker says how long its queue is. */
  queueLength: number;
  readonly isChecked: boolean;
  lastBeat: number;
}

/** Milliseconds after which a worker that gives no sign is forgotten. */
const EXPIRY = 30_000;
/** For which a worker is asked how it is. */
const PATIENCE = 5000;
/** Whoever may ask may register. */
const MOST_WORKERS = 1000;

/** The workers of the original LLaVA's protocol, by their addresses. */
export class LegacyController {
  #workers = new Map<string, Worker>();

  /** @param status asked of the worker itself where it is not given; one that does not answer is not taken */
  async register(address: string, isChecked: boolean, status?: WorkerStatus): Promise<boolean> {
    const told = status ?? (await statusOf(address));
    if (told === undefined || (this.#workers.size >= MOST_WORKERS && !this.#workers.has(address)))
      return false;
    this.#workers.set(address, {
      status: told,
      queueLength: told.queue_length,
      isChecked,
      lastBeat: Date.now(),
    });
    return true;
  }

  /** Whether the worker is known; one that is not registers again. */
  beat(address: string, queueLength: number): boolean {
    const worker = this.#workers.get(address);
    if (worker === undefined) return false;
    worker.queueLength = queueLength;
    worker.lastBeat = Date.now();
    return true;
  }

  /** Asks all workers how they are, and forgets those that do not answer. */
  async refresh(): Promise<void> {
    const old = this.#workers;
    this.#workers = new Map();
    await Promise.all([...old].map(([address, { isChecked }]) => this.register(address, isChecked)));
  }

  models(): string[] {
    return [...new Set([...this.#living()].flatMap(([, { status }]) => status.model_names))];
  }

  /** The worker of a model with the shortest queue for its speed; "" where there is none. */
  addressOf(model: string): string {
    const able = [...this.#living()].filter(([, { status }]) => status.model_names.includes(model));
    const load = ({ queueLength, status }: Worker): number => queueLength / (status.speed || 1);
    const [best] = able.sort(([, one], [, other]) => load(one) - load(other));
    if (best === undefined) return "";
    best[1].queueLength++;
    return best[0];
  }

  /** All workers as if they were one. */
  async status(): Promise<WorkerStatus> {
    const all = await Promise.all([...this.#living()].map(([address]) => statusOf(address)));
    const told = all.filter((status) => status !== undefined);
    const sum = (of: (status: WorkerStatus) => number): number =>
      told.reduce((total, status) => total + of(status), 0);
    return {
      model_names: [...new Set(told.flatMap(({ model_names }) => model_names))],
      speed: sum(({ speed }) => speed),
      queue_length: sum(({ queue_length }) => queue_length),
    };
  }

  *#living(): Iterable<[string, Worker]> {
    for (const [address, worker] of this.#workers)
      if (worker.isChecked && Date.now() - worker.lastBeat > EXPIRY) this.#workers.delete(address);
      else yield [address, worker];
  }
}

async function statusOf(address: string): Promise<WorkerStatus | undefined> {
  try {
    const response = await fetch(`${address}/worker_get_status`, {
      method: "POST",
      signal: AbortSignal.timeout(PATIENCE),
    });
    return response.ok ? workerStatusSchema.safeParse(await smallJson(response)).data : undefined;
  } catch {
    return undefined;
  }
}
