import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { main } from "../../src/cli/index.ts";

const script = fileURLToPath(new URL("../../bin/llava.js", import.meta.url));

export interface Outcome {
  /** null where a signal ended the process. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly cwd?: string;
  /** On top of this process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** What stands in standard input. */
  readonly input?: string | undefined;
}

/** Starts `llava` in a process of its own, as a shell would. */
export function startLlava(
  args: readonly string[],
  { cwd, env, input }: CallOptions = {},
): { child: ChildProcess; ended: Promise<Outcome> } {
  const child = spawn(process.execPath, [script, ...args], {
    ...(cwd !== undefined && { cwd }),
    env: { OMP_NUM_THREADS: "1", ...process.env, ...env },
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      output[name] += chunk;
    });
  child.stdin.on("error", () => {}).end(input); // it may end before it has read everything
  const ended = new Promise<Outcome>((resolve) =>
    child.once("close", (status) => resolve({ status, ...output })),
  );
  return { child, ended };
}

export const llava = (args: readonly string[], options?: CallOptions): Promise<Outcome> =>
  startLlava(args, options).ended;

/** Runs a command in this process, for commands that print nothing but errors: its standard output is not caught. */
export async function llavaHere(args: readonly string[]): Promise<Omit<Outcome, "stdout">> {
  const write = process.stderr.write;
  let stderr = "";
  process.stderr.write = (chunk: string | Uint8Array): boolean => {
    stderr += String(chunk);
    return true;
  };
  try {
    return { status: await main(args), stderr };
  } finally {
    process.stderr.write = write;
    process.exitCode = undefined;
  }
}
