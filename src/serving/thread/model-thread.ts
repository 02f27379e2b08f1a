import type { Worker } from "node:worker_threads";
import { LlavaError } from "../../errors.ts";
import { PartStream } from "../../part-stream.ts";
import type { Asked, Order, Told, ToldTogether } from "./messages.ts";
import { errorOf } from "./told-error.ts";

/** A thread that hosts models (`hostModels`). What it is asked waits for a step to end; whoever asks does not. */
export class ModelThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #underWay = new Map<
    number,
    {
      readonly stream: PartStream<unknown>;
      readonly onEnd: (() => void) | undefined;
      readonly isOpening: boolean;
    }
  >();
  readonly #ended = Promise.withResolvers<void>();
  readonly #failed = Promise.withResolvers<never>();
  #error: Error | undefined;
  #next = 0;

  /** Takes over the thread. */
  constructor(
    worker: Worker,
    told: { readonly report: (line: string) => void; readonly warn: (line: string) => void },
  ) {
    this.#worker = worker;
    this.#failed.promise.catch(() => {});
    worker.on("message", (results: ToldTogether) => {
      for (const result of results)
        if ("report" in result) told.report(result.report);
        else if ("warn" in result) told.warn(result.warn);
        else this.#take(result);
    });
    worker.on("error", (error) => this.#fail(error));
    worker.on("exit", () => {
      this.#fail(new LlavaError("aborted", "the thread that computes has ended"));
      this.#ended.resolve();
    });
  }

  /** Rejects when the thread has failed or ended, and with it all that it was asked. */
  get failed(): Promise<never> {
    return this.#failed.promise;
  }

  /** The one part that comes of it. */
  async call<Part>(asked: Asked, signal?: AbortSignal): Promise<Part> {
    for await (const part of this.ask<Part>(asked, { signal })) return part;
    throw new LlavaError("aborted", "the thread that computes gave no answer");
  }

  /**
   * All that comes of it. It is asked at once, and given up unless what is returned is read to its end.
   * @param options.onEnd told when the thread is done with it, maybe after whoever asked has left
   */
  ask<Part>(
    asked: Asked,
    { signal, onEnd }: { readonly signal?: AbortSignal | undefined; readonly onEnd?: () => void } = {},
  ): AsyncGenerator<Part, void, undefined> {
    signal?.throwIfAborted();
    if (this.#error !== undefined) throw this.#error;
    const id = this.#next++;
    this.#order({ id, ...asked });
    const stream = new PartStream<Part>();
    this.#underWay.set(id, { stream: stream as PartStream<unknown>, onEnd, isOpening: "open" in asked });
    return this.#read(id, stream, signal);
  }

  async *#read<Part>(
    id: number,
    stream: PartStream<Part>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Part, void, undefined> {
    const giveUp = (): void => {
      if (this.#underWay.has(id)) this.#order({ id, isGivenUp: true });
    };
    // Whoever reads may be waiting for something else.
    const leave = (): void => {
      giveUp();
      stream.fail(signal?.reason);
    };
    signal?.addEventListener("abort", leave);
    try {
      yield* stream.read();
    } finally {
      signal?.removeEventListener("abort", leave);
      giveUp();
    }
  }

  #order(order: Order): void {
    this.#worker.postMessage(order);
  }

  #take(result: Exclude<Told, { readonly report: string } | { readonly warn: string }>): void {
    const { id } = result;
    const { stream, onEnd } = this.#underWay.get(id)!;
    if ("part" in result) {
      stream.push(result.part);
      return;
    }
    this.#underWay.delete(id);
    if ("failed" in result) stream.fail(errorOf(result.failed));
    else stream.end();
    onEnd?.();
  }

  #fail(error: Error): void {
    this.#error ??= error;
    this.#failed.reject(error);
    for (const { stream, onEnd } of this.#underWay.values()) {
      stream.fail(error);
      onEnd?.();
    }
    this.#underWay.clear();
  }

  /** Resolves when the thread has ended: its models are disposed of, but for one that is being opened, which nobody waits for. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#underWay.values().some(({ isOpening }) => isOpening)) void this.#worker.terminate();
    else this.#order({ isOver: true });
    await this.#ended.promise;
  }
}
