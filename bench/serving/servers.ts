/** Servers in processes of their own: `llava serve`, transformers' and llama.cpp's. */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startServing } from "../../test/support/serving-process.ts";
import type { Target } from "./load.ts";

export interface Server extends Target, AsyncDisposable {
  readonly child: ChildProcess;
}

const root = fileURLToPath(new URL("../../", import.meta.url));
/** Kernels count time in these (USER_HZ). */
const TICKS = 100;

/** `llava serve`, once it is ready; by the name that it gives the model. */
export async function startOwn(model: string, args: readonly string[] = []): Promise<Server> {
  const { url, child } = await startServing([model, "--alias", "served", "--no-log", ...args]);
  return server({ name: "llava serve", url, model: "served", child });
}

/** `transformers serve`, once it has loaded the model. */
export async function startTransformers(
  folder: string,
  {
    python,
    dtype,
    port = 18_301,
  }: { readonly python: string; readonly dtype: string; readonly port?: number },
): Promise<Server> {
  const args = ["-m", "transformers.cli.transformers", "serve", folder, "--device", "cpu", "--dtype", dtype];
  const child = spawn(python, [...args, "--port", String(port), "--host", "127.0.0.1"], {
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, HF_HUB_OFFLINE: "1" },
  });
  const url = `http://127.0.0.1:${port}`;
  await answering(child, `${url}/health`);
  return server({ name: "transformers serve", url, model: folder, isStrict: true, child });
}

/** llama.cpp's server: `program` is llama-server itself, or a Python that has xllamacpp, whose server it is too. */
export async function startLlamaCpp(
  [text, eye]: readonly [string, string],
  {
    program,
    threads,
    slots,
    context,
  }: { readonly program: string; readonly threads: number; readonly slots: number; readonly context: number },
): Promise<Server> {
  const port = 18_302;
  if (/python[\d.]*$/.test(program)) {
    const script = join(root, "proofs/llama_cpp_server.py");
    const args = ["--slots", slots, "--threads", threads, "--context", slots * context].map(String);
    const child = spawn(program, [script, text, eye, ...args], { stdio: ["pipe", "pipe", "inherit"] });
    const url = await saidBy(child, child.stdout, /^(http:\S+)/);
    return server({ name: "llama.cpp", url, model: "served", child });
  }
  const child = spawn(
    program,
    [
      ...["-m", text, "--mmproj", eye, "--host", "127.0.0.1", "--port", String(port), "--log-disable"],
      ...["-t", String(threads), "-np", String(slots), "-cb", "-c", String(slots * context)],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const url = `http://127.0.0.1:${port}`;
  await answering(child, `${url}/health`);
  return server({ name: "llama-server", url, model: "served", child });
}

/** What the process and its children say that matches; @throws where it ends before */
async function saidBy(child: ChildProcess, stream: Readable | null, pattern: RegExp): Promise<string> {
  const lines = createInterface({ input: stream! });
  for await (const line of lines) {
    const said = pattern.exec(line)?.[1];
    if (said === undefined) {
      console.error(line);
      continue;
    }
    // Reading goes on, or the process would wait for it.
    stream!.resume();
    return said;
  }
  throw new Error(`a server ended with ${child.exitCode ?? child.signalCode}`);
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  while (child.exitCode === null && child.signalCode === null) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await wait(200);
  }
  throw new Error(`a server ended with ${child.exitCode ?? child.signalCode}`);
}

const server = (target: Target & { readonly child: ChildProcess }): Server => ({
  ...target,
  async [Symbol.asyncDispose]() {
    const { child } = target;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.stdin?.end();
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  },
});

/** Seconds of processors that a process has taken; not a number where the kernel does not tell. */
export function processorSeconds({ pid }: ChildProcess): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS;
  } catch {
    return Number.NaN;
  }
}

/** Bytes of memory that a process holds now; not a number where the kernel does not tell. */
export function residentBytes({ pid }: ChildProcess): number {
  try {
    return Number(/VmRSS:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
  } catch {
    return Number.NaN;
  }
}

/** Counters and gauges of `llava serve`, by their names without labels, summed over those. */
export async function metricsOf({ url }: Target): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const sums = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^llava:(\w+)(?:\{.*\})? (\S+)$/.exec(line) ?? [];
    if (name !== undefined) sums.set(name, (sums.get(name) ?? 0) + Number(value));
  }
  return sums;
}
