import { Worker } from "node:worker_threads";
import type { Communicator, Pending } from "../../src/distributed/index.ts";
import { cat, fromTyped, keep, scope, type Tensor } from "../../src/torch/index.ts";

/** Of each rank's tensor. */
const PLACE = 2 ** 22;

/** Ranks that are threads of one process: tensors are handed over in memory that they share. */
export class ThreadRank implements Communicator {
  readonly rank: number;
  readonly size: number;
  /** How many have arrived, and how often all had. */
  readonly #arrivals: Int32Array;
  readonly #places: readonly Uint8Array[];

  constructor(rank: number, size: number, shared: SharedArrayBuffer) {
    this.rank = rank;
    this.size = size;
    this.#arrivals = new Int32Array(shared, 0, 2);
    this.#places = Array.from({ length: size }, (_, i) => new Uint8Array(shared, 8 + i * PLACE, PLACE));
  }

  static memory(size: number): SharedArrayBuffer {
    return new SharedArrayBuffer(8 + size * PLACE);
  }

  sum(tensors: readonly Tensor[]): void {
    for (const tensor of tensors)
      scope(() => void tensor.copy_(this.#exchange(tensor).reduce((sum, part) => sum.add(part))));
  }

  gather(part: Tensor, into?: Tensor): Pending {
    const found = scope(() => keep(cat(this.#exchange(part))));
    if (into === undefined) return () => found;
    using whole = found;
    scope(() => into.copy_(whole));
    return () => into;
  }

  scatter(whole: Tensor): Pending {
    const part = scope(() => {
      const length = whole.size(0) / this.size;
      const summed = this.#exchange(whole).reduce((sum, part) => sum.add(part));
      return keep(summed.slice(0, this.rank * length, (this.rank + 1) * length).clone());
    });
    return () => part;
  }

  barrier(): void {
    const [ARRIVED, ROUND] = [0, 1];
    const round = Atomics.load(this.#arrivals, ROUND);
    if (Atomics.add(this.#arrivals, ARRIVED, 1) + 1 === this.size) {
      Atomics.store(this.#arrivals, ARRIVED, 0);
      Atomics.add(this.#arrivals, ROUND, 1);
      Atomics.notify(this.#arrivals, ROUND);
    } else
      while (Atomics.load(this.#arrivals, ROUND) === round) Atomics.wait(this.#arrivals, ROUND, round, 100);
  }

  /** The tensors of all ranks, in their order. */
  #exchange(own: Tensor): Tensor[] {
    const bytes = own.toBytes();
    if (bytes.length > PLACE) throw new RangeError(`${bytes.length} bytes do not fit`);
    this.#places[this.rank]!.set(bytes);
    this.barrier();
    const { dtype, shape } = own;
    const all = this.#places.map((place) => fromTyped(place.slice(0, bytes.length), { dtype, shape }));
    this.barrier();
    return all;
  }
}

/** Runs a task of rank-worker.ts in as many threads, each a rank; their answers in the order of the ranks. */
export function inRanks<R>(size: number, task: string, given: unknown): Promise<R[]> {
  const shared = ThreadRank.memory(size);
  return Promise.all(
    Array.from({ length: size }, async (_, rank): Promise<R> => {
      const workerData = { rank, size, shared, task, given };
      const worker = new Worker(new URL("./rank-worker.ts", import.meta.url), { workerData });
      try {
        return await new Promise<R>((resolve, reject) => {
          worker.once("message", resolve);
          worker.once("error", reject);
        });
      } finally {
        await worker.terminate();
      }
    }),
  );
}
