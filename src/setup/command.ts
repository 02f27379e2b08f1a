import { spawn } from "node:child_process";
import { accessSync, constants, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
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

/** Runs a program to its end; a status other than 0 is returned, not thrown. An aborted signal throws its reason. */
export async function runCommand(
  file: string,
  args: readonly string[],
  { env = process.env, onLine, log, signal }: CommandOptions = {},
): Promise<CommandResult> {
  signal?.throwIfAborted();
  if (log) await mkdir(dirname(log), { recursive: true });
  const logFile = log ? createWriteStream(log, { flags: "a" }) : undefined;
  const child = spawn(file, args, {
    env: { ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(signal && { signal }),
  });
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
    await Promise.all(closed);
    return { status, tail };
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  } finally {
    logFile?.end();
  }
}

/** The path of a program, as the shell would find it. */
export function findProgram(name: string, env: Environment = process.env): string | undefined {
  for (const folder of (env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}
