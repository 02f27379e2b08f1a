import { setTimeout as wait } from "node:timers/promises";
import { metricsOf, type Server, startOwn } from "../../bench/serving/servers.ts";

export type Bar = (bench: Bench) => Promise<void>;

/** What bars are measured with. */
export class Bench {
  readonly model: string;
  readonly args: readonly string[];
  readonly #size: number;
  missed = 0;

  constructor(model: string, args: readonly string[], size: number) {
    this.model = model;
    this.args = args;
    this.#size = size;
  }

  /** A server of its own; what is given here may be given otherwise by the command. */
  start(...args: readonly string[]): Promise<Server> {
    return startOwn(this.model, [...args, ...this.args]);
  }

  /** So many, of whole size. */
  count(whole: number, least = 1): number {
    return Math.max(least, Math.round(whole * this.#size));
  }

  tell(line: string, isMet?: boolean): void {
    if (isMet === false) this.missed++;
    console.log(`  ${isMet === undefined ? "" : isMet ? "ok   " : "MISS "}${line}`);
  }
}

/** Waits until the server's metrics are so. @returns the milliseconds that it took; not a number after `most` of them */
export async function until(
  server: Server,
  holds: (metrics: ReadonlyMap<string, number>) => boolean,
  most = 30_000,
): Promise<number> {
  const began = performance.now();
  while (performance.now() - began < most) {
    if (holds(await metricsOf(server))) return performance.now() - began;
    await wait(5);
  }
  return Number.NaN;
}

/** Whether nobody is answered and nobody waits. */
export const isIdle = (metrics: ReadonlyMap<string, number>): boolean =>
  metrics.get("num_requests_running") === 0 && metrics.get("num_requests_waiting") === 0;

/** A text of about so many tokens. */
export async function textOf({ url }: Server, tokens: number): Promise<string> {
  const count = async (words: number): Promise<number> => {
    const body = JSON.stringify({ prompt: "word ".repeat(words) });
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${url}/tokenize`, { method: "POST", headers, body });
    return ((await response.json()) as { count: number }).count;
  };
  const each = ((await count(40)) - (await count(20))) / 20;
  return "word ".repeat(Math.floor(tokens / each));
}
