import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";

const script = fileURLToPath(new URL("./rank-child.ts", import.meta.url));

/** Runs a task of rank-tasks.ts in as many processes, each a rank; their answers in the order of the ranks. */
export async function inProcesses<R>(size: number, task: string, given: unknown): Promise<R[]> {
  const children = await start(size, task, given);
  return Promise.all(
    children.map((child, rank): Promise<R> => {
      child.stderr!.pipe(process.stderr);
      return new Promise<R>((resolve, reject) => {
        let answer: R;
        child.once("message", (message) => {
          answer = message as R;
        });
        child.once("close", (code, signal) =>
          code === 0 ? resolve(answer) : reject(new Error(`rank ${rank} ended with ${signal ?? code}`)),
        );
      });
    }),
  );
}

/** How a rank ended. */
export interface RankEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Of standard error. */
  readonly lastLine: string;
}

/** As `inProcesses`, of a task that does not go well. */
export async function endsOf(size: number, task: string, given: unknown): Promise<RankEnd[]> {
  const children = await start(size, task, given);
  return Promise.all(children.map(endOf));
}

/** Waits until a process is gone. */
export function endOf(child: ChildProcess): Promise<RankEnd> {
  let text = "";
  child.stderr!.setEncoding("utf8").on("data", (chunk: string) => {
    text += chunk;
  });
  return new Promise((resolve) =>
    child.once("close", (code, signal) =>
      resolve({ code, signal, lastLine: text.trimEnd().split("\n").at(-1)! }),
    ),
  );
}

async function start(size: number, task: string, given: unknown): Promise<ChildProcess[]> {
  const port = await freePort();
  return Array.from({ length: size }, (_, rank) => {
    const child = fork(script, {
      serialization: "advanced",
      stdio: ["ignore", "inherit", "pipe", "ipc"],
      env: {
        ...process.env,
        OMP_NUM_THREADS: process.env["LLAVA_TEST_THREADS"] ?? "1",
        RANK: String(rank),
        LOCAL_RANK: String(rank),
        WORLD_SIZE: String(size),
        MASTER_ADDR: "127.0.0.1",
        MASTER_PORT: String(port),
      },
    });
    child.send({ task, given });
    return child;
  });
}
