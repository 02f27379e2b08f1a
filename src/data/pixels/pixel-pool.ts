import { Worker } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import type { ImageProcessorConfig, PixelValues } from "../../processing/image/index.ts";
import type { PixelLoader, PixelSource } from "./pixel-loader.ts";
import type { PixelJob, PixelResult } from "./pixel-worker.ts";

interface Waiting {
  readonly job: PixelJob;
  readonly resolve: (pixels: PixelValues | LlavaError) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  readonly jobs: Map<number, Waiting>;
}

/** Jobs that a thread has at a time: some are decoded in the background while another is resized. */
const jobsEach = 4;

/** Loads pixels in worker threads, which live while there is work and never keep the process alive by themselves. */
export class PixelPool implements PixelLoader {
  readonly isBackground = true;
  readonly #threads: Thread[];
  readonly #queue: Waiting[] = [];
  #nextId = 0;
  /** Why nothing can be loaded any more. */
  #ended: Error | undefined;

  constructor(processor: ImageProcessorConfig, workers: number) {
    this.#threads = Array.from({ length: workers }, () => {
      const worker = new Worker(new URL("./pixel-worker.ts", import.meta.url), { workerData: processor });
      const thread = { worker, jobs: new Map<number, Waiting>() };
      worker.unref();
      worker.on("message", (result: PixelResult) => this.#finish(thread, result));
      worker.on("error", (error) => this.#end(error as Error));
      return thread;
    });
  }

  load(source: PixelSource): Promise<PixelValues | LlavaError> {
    if (this.#ended) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#queue.push({ job: { id: this.#nextId++, source }, resolve, reject });
      this.#assign();
    });
  }

  [Symbol.dispose](): void {
    this.#end(new LlavaError("aborted", "the threads that load images were stopped"));
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

  #finish(thread: Thread, result: PixelResult): void {
    const waiting = thread.jobs.get(result.id);
    if (waiting === undefined) return; // ended meanwhile
    thread.jobs.delete(result.id);
    if (thread.jobs.size === 0) thread.worker.unref();
    this.#assign();
    if ("pixels" in result) waiting.resolve(result.pixels);
    else if ("failed" in result) waiting.reject(new Error(result.failed));
    else {
      const { message, hint } = result.refused;
      waiting.resolve(new LlavaError("image", message, hint === undefined ? {} : { hint }));
    }
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
