import type { Worker } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import { threadBeside } from "../../package.ts";
import type { ProcessorSource } from "../../processing/processor/index.ts";
import { RowError } from "../../protocol/index.ts";
import type { LoadingJob, LoadingResult, Refusal } from "./loading-worker.ts";
import type { LoadedRows, LoadRequest, RowLoader } from "./row-loader.ts";

interface Waiting {
  readonly job: LoadingJob;
  readonly resolve: (loaded: LoadedRows) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Waiting>;
}

/** Jobs that a thread has at a time, so that it need not wait for the next. */
const jobsEach = 4;

/**
 * Loads rows and images in worker threads, each with a processor of its own, which live while there is work and never keep the
 * process alive by themselves.
 */
export class LoadingPool implements RowLoader {
  readonly isBackground = true;
  readonly #threads: Thread[];
  readonly #queue: Waiting[] = [];
  #nextId = 0;
  /** Why nothing can be loaded any more. */
  #ended: Error | undefined;

  constructor(workerData: ProcessorSource, workers: number) {
    this.#threads = Array.from({ length: workers }, () => {
      const worker = threadBeside(import.meta, "loading-worker", workerData);
      const thread = { worker, jobs: new Map<number, Waiting>() };
      worker.unref();
      worker.on("message", (result: LoadingResult) => this.#finish(thread, result));
      worker.on("error", (error) => this.#end(error as Error));
      return thread;
    });
  }

  load({ rows = [], ...request }: LoadRequest): Promise<LoadedRows> {
    if (this.#ended) return Promise.reject(this.#ended);
    // What a row's images are made of goes to the thread once, with the images that it makes pixels of.
    const named = rows.map((row) => ({
      ...row,
      images: row.images.map(({ bytes: _, ...image }) => image),
    }));
    return new Promise<LoadedRows>((resolve, reject) => {
      this.#queue.push({ job: { id: this.#nextId++, ...request, rows: named }, resolve, reject });
      this.#assign();
    });
  }

  [Symbol.dispose](): void {
    this.#end(new LlavaError("aborted", "the threads that load images and rows were stopped"));
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
    if ("failed" in result) waiting.reject(new Error(result.failed));
    else
      waiting.resolve({
        rows: result.rows.map((row) => ("refused" in row ? rowErrorOf(row) : row)),
        pixels: result.pixels.map((made) => ("refused" in made ? imageErrorOf(made) : made)),
        shapes: result.shapes,
      });
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

const rowErrorOf = ({ problem, refused, hint = "" }: Refusal): RowError =>
  new RowError(problem!, refused, { hint });

const imageErrorOf = ({ refused, code, hint }: Refusal): LlavaError =>
  new LlavaError(code, refused, hint === undefined ? {} : { hint });
