import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { freePort } from "./free-port.ts";

const script = fileURLToPath(new URL("./rank-child.ts", import.meta.url));

/** Runs a task of rank-tasks.ts in as many processes, each a rank; their answers in the order of the ranks. */
export async function inProcesses<R>(size: number, task: string, given: unknown): Promise<R[]> {
  const port = await freePort();
  return Promise.all(
    Array.from({ length: size }, (_, rank): Promise<R> => {
      const child = fork(script, {
        serialization: "advanced",
        env: {
          ...process.env,
          OMP_NUM_THREADS: "1",
          RANK: String(rank),
          LOCAL_RANK: String(rank),
          WORLD_SIZE: String(size),
          MASTER_ADDR: "127.0.0.1",
          MASTER_PORT: String(port),
        },
      });
      child.send({ task, given });
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
