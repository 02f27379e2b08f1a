import { randomUUID } from "node:crypto";
import { writeSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { threadBeside } from "../package.ts";
import type { Store } from "../torch/index.ts";
import { Calls } from "./calls.ts";
import type { Place } from "./place.ts";

export interface WatchOptions {
  /** Seconds without a word of a rank after which it counts as frozen. */
  readonly silence: number;
}

/** What the thread of a rank is started with. */
export interface Watched extends WatchOptions {
  readonly rank: number;
  readonly ranks: number;
  /** Where rank 0's thread is, or is to be. */
  readonly host: string;
  /** undefined on rank 0, which takes a free one. */
  readonly port: number | undefined;
  /** Which ranks must show. */
  readonly token: string;
  /** Steps done. */
  readonly progress: Int32Array;
  /** See `Calls`. */
  readonly calls: Calls["memory"];
}

export type ToThread = { readonly failed: string; readonly isHearsay: boolean } | { readonly leaving: true };
export type FromThread =
  | { readonly listening: number }
  | { readonly joined: true }
  | { readonly left: true }
  | { readonly stopping: string };

const STORE_KEY = "llava/watch";

/**
 * A thread in each rank that is connected to rank 0's. It sees death, silence, errors and different calls of ranks while their
 * main threads wait for one another, and ends all of them, telling which one was the cause.
 */
export class Watch {
  /** Those of this rank, for it to tell of each before it waits. */
  readonly calls = new Calls();
  readonly #worker: Worker;
  readonly #progress: Int32Array;
  readonly #messages: ((message: FromThread) => void)[] = [];
  #hasFailed = false;

  private constructor(watched: Omit<Watched, "calls">) {
    this.#progress = watched.progress;
    const given: Watched = { ...watched, calls: this.calls.memory };
    this.#worker = threadBeside(import.meta, "watch-worker", given);
    this.#worker.on("message", (message: FromThread) => {
      if ("stopping" in message) this.#stop(message.stopping);
      for (const listener of this.#messages) listener(message);
    });
  }

  /** Returns when all ranks are connected. */
  static async open({ rank, ranks, host }: Place, store: Store, options: WatchOptions): Promise<Watch> {
    const progress = new Int32Array(new SharedArrayBuffer(4));
    const shared = { ...options, rank, ranks, host, progress };
    let watch: Watch;
    if (rank === 0) {
      const token = randomUUID();
      watch = new Watch({ ...shared, port: undefined, token });
      const { listening } = await watch.#next("listening");
      store.set(STORE_KEY, JSON.stringify({ port: listening, token }));
    } else {
      const { port, token } = JSON.parse(store.get(STORE_KEY)) as { port: number; token: string };
      watch = new Watch({ ...shared, port, token });
    }
    await watch.#next("joined");
    watch.#worker.unref();
    return watch;
  }

  /** Tells that so many steps are done. */
  reached(step: number): void {
    Atomics.store(this.#progress, 0, step);
  }

  /**
   * Ends all ranks; this one is to end by itself when it returns, with the cause in its last line. `isHearsay`: what failed was
   * something between ranks, of which another one may be the cause; if so it does not return.
   */
  async fail(message: string, isHearsay: boolean): Promise<void> {
    this.#hasFailed = !isHearsay;
    this.#worker.ref();
    const stopping = this.#next("stopping");
    this.#worker.postMessage({ failed: message, isHearsay } satisfies ToThread);
    await Promise.race([stopping, setTimeout(10_000, undefined, { ref: false })]);
    this.#worker.unref();
  }

  /** Once all are done. */
  async close(): Promise<void> {
    this.#worker.ref();
    const left = this.#next("left");
    this.#worker.postMessage({ leaving: true } satisfies ToThread);
    await left;
    await this.#worker.terminate();
  }

  /** The thread has told the cause where this rank is not; where it is, its own message comes first. */
  #stop(cause: string): void {
    if (!this.#hasFailed) process.exit(1);
    process.once("exit", () => writeSync(2, cause));
  }

  async #next<K extends string>(what: K): Promise<Extract<FromThread, Record<K, unknown>>> {
    return new Promise((resolve) => {
      const listener = (message: FromThread): void => {
        if (!(what in message)) return;
        this.#messages.splice(this.#messages.indexOf(listener), 1);
        resolve(message as never);
      };
      this.#messages.push(listener);
    });
  }
}
