import { spawn } from "node:child_process";
import { accessSync, constants, createWriteStream } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { delimiter, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { Environment } from "./cache.ts";

export interface CommandOptions {
  env?: Environment;
  onLine?: (line: string) => void;
  /** Everything the command prints is kept in this file. */
  log?: string;
  signal?: AbortSignal;
}

export interface CommandResult {
  status: number;
  /** The last lines of stdout and stderr together. */
  tail: string[];
}

const tailLength = 30;

/**
 * Runs "$@" and passes its status on. When the pipe on standard input closes without that, whoever started it was
 * killed: the whole process group ends, so that nothing works on in a folder that the next run takes over.
 */
const supervisor = `
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -s TERM 0; } >/dev/null 2>&1 &
watch=$!
wait "$program"
status=$?
kill -s KILL "$watch" 2>/dev/null
exit "$status"`;

/**
 * Runs a program to its end; a status other than 0 is returned, not thrown. An aborted signal stops the program and
 * throws its reason once it has ended, so that its files can be removed.
 */
export async function runCommand(
  file: string,
  args: readonly string[],
  { env = process.env, onLine, log, signal }: CommandOptions = {},
): Promise<CommandResult> {
  signal?.throwIfAborted();
  const path = findProgram(file, env) ?? file;
  await access(path, constants.X_OK);
  if (log) await mkdir(dirname(log), { recursive: true });
  const logFile = log ? createWriteStream(log, { flags: "a" }) : undefined;
  logFile?.on("error", () => {}); // a full disk stops the program as well, which then says so
  const child = spawn("/bin/sh", ["-c", supervisor, "sh", path, ...args], {
    env: { ...env },
    stdio: ["pipe", "pipe", "pipe"],
    detached: true,
  });
  // The program may be a wrapper around the one that works, so the whole process group is stopped.
  const stop = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGTERM");
    } catch {
      // it has just ended
    }
  };
  signal?.addEventListener("abort", stop, { once: true });
  const tail: string[] = [];
  const lines = [child.stdout, child.stderr].map((input) =>
    createInterface({ input }).on("line", (line) => {
      logFile?.write(`${line}\n`);
      tail.push(line);
      if (tail.length > tailLength) tail.shift();
      onLine?.(line);
    }),
  );
  try {
    const closed = lines.map((reader) => new Promise((resolve) => reader.once("close", resolve)));
    const status = await new Promise<number>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (code) => resolve(code ?? 1));
    });
    signal?.throwIfAborted();
    await Promise.all(closed);
    return { status, tail };
  } finally {
    signal?.removeEventListener("abort", stop);
    if (logFile && !logFile.destroyed) await new Promise<void>((resolve) => logFile.end(() => resolve()));
  }
}

/** The path of a program, as the shell would find it; a name with a slash is a path itself. */
export function findProgram(name: string, env: Environment = process.env): string | undefined {
  for (const folder of name.includes("/") ? [""] : (env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}
