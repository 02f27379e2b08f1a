import { type ChildProcess, spawn } from "node:child_process";
import { availableParallelism, totalmem } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { LlavaError } from "../../../errors.ts";
import type { HttpServer, ReplicaSet } from "../../../serving/http/index.ts";
import type { ModelFlags } from "../../frame/model-options.ts";
import type { EngineFlags } from "./engine.ts";

/** Where a replica finds the key that its parent asks with. */
const KEY = "LLAVA_REPLICA_KEY";

/** Milliseconds before a process that ended is started again; doubled each time that it ends at once. */
const SHORTEST_PAUSE = 1000;
const LONGEST_PAUSE = 30_000;

/** The key of this process's parent, where it is a replica. */
export const replicaKey = (): string | undefined => process.env[KEY];

/** Milliseconds after which a process says again that it goes on. */
const HEARTBEAT = 1000;

/** Tells the parent that its requests are answered, again and again while steps come to an end, and ends with it. */
export function tellParent(server: HttpServer): void {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  const { url } = server; // it has none once it takes no more, while its last answers are said
  const tell = () => process.connected && !server.isStuck && process.send?.({ url });
  tell();
  setInterval(tell, HEARTBEAT).unref();
  process.channel?.unref();
}

interface ReplicaOptions {
  readonly flags: Pick<ModelFlags, "device" | "threads"> & Pick<EngineFlags, "memory">;
  readonly report: (line: string) => void;
}

/** The processes of a set, each this command again with its share of the machine; one that ends is started again. */
export class ReplicaProcesses implements AsyncDisposable {
  readonly #set: ReplicaSet;
  readonly #options: ReplicaOptions;
  readonly #running = new Set<ChildProcess>();
  readonly #stopping = new AbortController();

  constructor(set: ReplicaSet, options: ReplicaOptions) {
    this.#set = set;
    this.#options = options;
  }

  /** Resolves when all answer. @throws LlavaError "setup" for one that ends before it does */
  async start(): Promise<void> {
    await Promise.all(this.#set.all.map(({ index }) => this.#first(index)));
  }

  async #first(index: number): Promise<void> {
    const child = this.#spawn(index);
    const isReady = await new Promise<boolean>((resolve) => {
      child.once("message", () => resolve(true));
      child.once("exit", () => resolve(false));
    });
    if (!isReady && !this.#stopping.signal.aborted)
      throw new LlavaError("setup", `process ${index} ended before it answered`, {
        hint: "What it said stands above; without --replicas it may be easier to see.",
      });
    if (isReady) void this.#keep(index, child);
  }

  /** Starts a process again whenever it ends. */
  async #keep(index: number, first: ChildProcess): Promise<void> {
    const { signal } = this.#stopping;
    let child = first;
    let pause = SHORTEST_PAUSE;
    while (true) {
      const began = performance.now();
      if (child.exitCode === null && child.signalCode === null)
        await new Promise((resolve) => child.once("exit", resolve));
      if (signal.aborted) return;
      pause = performance.now() - began > LONGEST_PAUSE ? SHORTEST_PAUSE : Math.min(2 * pause, LONGEST_PAUSE);
      this.#options.report(`process ${index} ended; it is started again`);
      await wait(pause, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      child = this.#spawn(index);
    }
  }

  #spawn(index: number): ChildProcess {
    const { all } = this.#set;
    const replica = all[index]!;
    const child = spawn(process.execPath, [...process.argv.slice(1), ...this.#own(index, all.length)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
      env: { ...process.env, [KEY]: replica.key },
    });
    this.#running.add(child);
    child.on("message", (message: { readonly url: string }) => {
      replica.url = message.url;
      replica.heard = performance.now();
    });
    child.once("exit", () => {
      replica.url = undefined;
      this.#running.delete(child);
    });
    return child;
  }

  /** Options that come after the command's own, and count before them. */
  #own(index: number, count: number): string[] {
    const { device, threads, memory = totalmem() / 4e9 } = this.#options.flags;
    return [
      ...["--host", "127.0.0.1", "--port", "0", "--no-log"],
      ...["--threads", String(threads ?? Math.max(1, Math.floor(availableParallelism() / count)))],
      ...["--memory", String(memory / count)],
      ...(device === "cuda" ? ["--device", `cuda:${index}`] : []),
    ];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    const ended = [...this.#running].map((child) => new Promise((resolve) => child.once("exit", resolve)));
    for (const child of this.#running) child.kill("SIGTERM");
    await Promise.all(ended);
  }
}
