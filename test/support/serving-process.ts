import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface ServingProcess extends Disposable {
  /** Without a slash at the end. */
  readonly url: string;
  readonly child: ChildProcess;
}

/** `llava serve` in a process of its own, once its models answer. @throws where it ends instead; what it said is printed */
export async function startServing(args: readonly string[]): Promise<ServingProcess> {
  const bin = fileURLToPath(new URL("../../bin/llava.js", import.meta.url));
  const child = spawn(process.execPath, [bin, "serve", ...args, "--port", "0"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const stop = (): void => void child.kill();
  process.once("exit", stop);
  const lines = createInterface({ input: child.stderr! });
  return await new Promise((started, failed) => {
    lines.on("line", (line) => {
      const url = /^(http:\S+) is ready$/.exec(line)?.[1];
      if (url === undefined) console.error(line);
      else started({ url, child, [Symbol.dispose]: stop });
    });
    child.once("exit", (code) => failed(new Error(`llava serve ended with ${code}`)));
  });
}
