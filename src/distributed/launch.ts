import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { availableParallelism, constants } from "node:os";
import { createInterface } from "node:readline";
import { LlavaError } from "../errors.ts";

export interface LaunchOptions {
  /** Program and arguments of every process; `again` where it was started before. */
  readonly command: (again: boolean) => readonly [program: string, ...arguments_: string[]];
  /** On this machine. */
  readonly processes: number;
  readonly nodes: number;
  /** Which of them this machine is, from 0. */
  readonly node: number;
  /** Where rank 0 is to be found: of one machine itself, with a port that is free. */
  readonly master: { readonly host: string; readonly port: number } | undefined;
  /** How often all are started again after one has failed. */
  readonly restarts: number;
  readonly report: (line: string) => void;
}

/** Milliseconds in which the others end by themselves after one has failed, before they are told to, and then made to. */
const GRACE = 8000;

/**
 * Runs a program in several processes that train together, each told its place by the variables that torchrun sets. What the
 * first writes comes through as it is, what the others write with their rank before it. Returns the status of the one that
 * failed first; 128 and its number for a signal.
 */
export async function launch(options: LaunchOptions): Promise<number> {
  if (options.nodes > 1 && options.master === undefined)
    throw new LlavaError("usage", `${options.nodes} machines need the address of the first`, {
      hint: "Give --host, the first machine's name, and --port, a free port on it, on all of them.",
    });
  for (let attempt = 0; ; attempt++) {
    const { status, isStopped } = await once(options, attempt);
    if (status === 0 || isStopped || attempt === options.restarts) return status;
    options.report(`starting all ranks again (${attempt + 1} of ${options.restarts})`);
  }
}

async function once(
  { command, processes, nodes, node, master, report }: LaunchOptions,
  attempt: number,
): Promise<{ status: number; isStopped: boolean }> {
  const { host, port } = master ?? { host: "127.0.0.1", port: await freePort() };
  const [program, ...given] = command(attempt > 0);
  let first: { readonly rank: number; readonly status: number; readonly how: string } | undefined;
  let isStopped = false;
  const children = Array.from({ length: processes }, (_, localRank): ChildProcess => {
    const rank = node * processes + localRank;
    const isFirst = rank === 0;
    const output = isFirst ? "inherit" : "pipe";
    const child = spawn(program, given, {
      stdio: [isFirst ? "inherit" : "ignore", output, output],
      // A terminal would send Ctrl-C to each of them, and this process does as well: twice means "at once".
      detached: true,
      env: {
        OMP_NUM_THREADS: String(Math.max(1, Math.floor(availableParallelism() / processes))),
        ...process.env,
        RANK: String(rank),
        LOCAL_RANK: String(localRank),
        WORLD_SIZE: String(nodes * processes),
        LOCAL_WORLD_SIZE: String(processes),
        GROUP_RANK: String(node),
        MASTER_ADDR: host,
        MASTER_PORT: String(port),
        TORCHELASTIC_RESTART_COUNT: String(attempt),
        TORCHELASTIC_USE_AGENT_STORE: "False",
        LLAVA_LAUNCHER: String(process.pid),
      },
    });
    for (const stream of [child.stdout, child.stderr])
      if (stream) createInterface({ input: stream }).on("line", (line) => report(`[rank ${rank}] ${line}`));
    child.on("exit", (code, signal) => {
      if (code === 0 || first) return;
      const status = signal === null ? code! : 128 + constants.signals[signal];
      first = { rank, status, how: signal ?? `status ${code}` };
      for (const [after, name] of [
        [GRACE, "SIGTERM"],
        [2 * GRACE, "SIGKILL"],
      ] as const)
        setTimeout(() => children.forEach((other) => void other.kill(name)), after).unref();
    });
    return child;
  });
  const forward = (signal: NodeJS.Signals): void => {
    isStopped = true;
    for (const child of children) child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const signal of signals) process.on(signal, forward);
  try {
    await Promise.all(
      children.map(
        (child) =>
          new Promise((resolve, reject) => {
            child.once("close", resolve);
            child.once("error", reject);
          }),
      ),
    );
  } finally {
    for (const signal of signals) process.off(signal, forward);
  }
  if (first === undefined) return { status: 0, isStopped };
  if (!isStopped && first.status > 128) report(`rank ${first.rank} was ended by ${first.how}`);
  return { status: first.status, isStopped };
}

const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
