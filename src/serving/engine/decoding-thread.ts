import type { Worker } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import { threadBeside } from "../../package.ts";
import type { ImageLoadOptions, PixelValues } from "../../processing/image/index.ts";
import type { Processor } from "../../processing/processor/index.ts";
import type { DecodingData, DecodingJob, DecodingOrder, DecodingResult } from "./decoding-worker.ts";

interface Decoded {
  readonly pixels: PixelValues;
  readonly digest: string;
}

type Waiting = ReturnType<typeof Promise.withResolvers<Decoded>>;

/** Decodes media in a thread of its own, which begins with the first and never keeps the process alive by itself. */
export class DecodingThread implements Disposable {
  readonly #data: DecodingData;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #nextId = 0;

  constructor({ source, imageConfig }: Processor, images: ImageLoadOptions) {
    const { signal: _, ...rest } = images;
    this.#data = {
      processor: source,
      images: { ...rest, transparency: images.transparency ?? imageConfig.transparency ?? "drop" },
    };
  }

  /** @throws LlavaError "image" or "video" for what cannot be decoded */
  async decode(job: DecodingJob, signal: AbortSignal): Promise<Decoded> {
    signal.throwIfAborted();
    const id = this.#nextId++;
    const waiting = Promise.withResolvers<Decoded>();
    this.#waiting.set(id, waiting);
    const worker = this.#running();
    worker.ref();
    const order = (told: DecodingOrder) => worker.postMessage(told);
    const giveUp = () => order({ id, isGivenUp: true });
    signal.addEventListener("abort", giveUp);
    try {
      order({ id, ...job });
      return await waiting.promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = threadBeside(import.meta, "decoding-worker", this.#data);
    worker.on("message", (result: DecodingResult) => this.#settle(worker, result));
    worker.on("error", (error) => this.#end(error));
    this.#worker = worker;
    return worker;
  }

  #settle(worker: Worker, result: DecodingResult): void {
    const waiting = this.#waiting.get(result.id);
    this.#waiting.delete(result.id);
    if (this.#waiting.size === 0) worker.unref();
    if ("pixels" in result) waiting?.resolve(result);
    else if ("failed" in result) waiting?.reject(new Error(result.failed));
    else {
      const { code, refused, hint } = result;
      waiting?.reject(new LlavaError(code, refused, hint === undefined ? {} : { hint }));
    }
  }

  /** Rejects what waits; the next image has a new thread. */
  #end(error: unknown): void {
    void this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }

  [Symbol.dispose](): void {
    this.#end(new LlavaError("aborted", "the thread that decodes media was stopped"));
  }
}
