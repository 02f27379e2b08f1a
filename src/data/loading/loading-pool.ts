import { Worker } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import { moduleBeside } from "../../package.ts";
import type { PixelValues } from "../../processing/image/index.ts";
import type { EncodedRow } from "../../processing/processor/index.ts";
import { type LlavaRow, RowError } from "../../protocol/index.ts";
import type { LoadingJob, LoadingResult, LoadingTask, Refusal } from "./loading-worker.ts";
import type { PixelLoader, PixelSource } from "./pixel-loader.ts";
import type { EncodingSource, RowEncoder } from "./row-encoder.ts";

interface Waiting {
  readonly job: LoadingJob;
  readonly resolve: (made: PixelValues | EncodedRow | LlavaError) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Waiting>;
}

/** Jobs that a thread has at a time, so that it need not wait for the next. */
const jobsEach = 4;

/**
 * Loads pixels and encodes rows in worker threads, which live while there is work and never keep the process alive by
 * themselves. Rows take an `encoding`.
 */
export class LoadingPool implements PixelLoader, RowEncoder {
  readonly isBackground = true;
  readonly #threads: Thread[];
  readonly #queue: Waiting[] = [];
  #nextId = 0;
  /** Why nothing can be loaded any more. */
  #ended: Error | undefined;

  constructor(
    { processor, encoding }: Pick<LoadingTask, "processor"> & { readonly encoding?: EncodingSource },
    workers: number,
  ) {
    const workerData: LoadingTask = { processor, encoding };
    this.#threads = Array.from({ length: workers }, () => {
      const worker = new Worker(moduleBeside(import.meta, "loading-worker"), { workerData });
      const thread = { worker, jobs: new Map<number, Waiting>() };
      worker.unref();
      worker.on("message", (result: LoadingResult) => this.#finish(thread, result));
      worker.on("error", (error) => this.#end(error as Error));
      return thread;
    });
  }

  load(image: PixelSource): Promise<PixelValues | LlavaError> {
    return this.#ask({ image }) as Promise<PixelValues | LlavaError>;
  }

  encode(row: LlavaRow): Promise<EncodedRow | RowError> {
    const images = row.images.map(({ name }) => ({ name }));
    return this.#ask({ row: { ...row, images } }) as Promise<EncodedRow | RowError>;
  }

  [Symbol.dispose](): void {
    this.#end(new LlavaError("aborted", "the threads that load images and rows were stopped"));
  }

  #ask(what: { readonly image: PixelSource } | { readonly row: LlavaRow }) {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise<PixelValues | EncodedRow | LlavaError>((resolve, reject) => {
      this.#queue.push({ job: { id: this.#nextId++, ...what }, resolve, reject });
      this.#assign();
    });
  }

  #assign(): void {
    while (this.#queue.length > 0) {
      const thread = this.#threads.reduce((best, other) => (other.jobs.size < best.jobs.size ? other : best));
      if (thread.jobs.size >= jobsEach) return;
      const waiting = this.#queue.shift()!;
      thread.jobs.set(waiting.job.id, waiting);
      thread.worker.ref();
      thread.worker.postMessage(waiting.job);
    }
  }

  #finish(thread: Thread, result: LoadingResult): void {
    const waiting = thread.jobs.get(result.id);
    if (waiting === undefined) return; // ended meanwhile
    thread.jobs.delete(result.id);
    if (thread.jobs.size === 0) thread.worker.unref();
    this.#assign();
    if ("made" in result) waiting.resolve(result.made);
    else if ("failed" in result) waiting.reject(new Error(result.failed));
    else waiting.resolve(errorOf(result.refused));
  }

  /** One thread that breaks down ends the work of all: what it was at would break others too. */
  #end(reason: Error): void {
    this.#ended ??= reason;
    for (const { worker, jobs } of this.#threads) {
      for (const { reject } of jobs.values()) reject(reason);
      jobs.clear();
      void worker.terminate();
    }
    for (const { reject } of this.#queue.splice(0)) reject(reason);
  }
}

function errorOf({ problem, message, hint }: Refusal): LlavaError {
  if (problem !== undefined) return new RowError(problem, message, { hint: hint ?? "" });
  return new LlavaError("image", message, hint === undefined ? {} : { hint });
}
