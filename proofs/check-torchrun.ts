/**
 * Two processes under torchrun, of which one is killed: torchrun starts both again, and they go on from the last checkpoint.
 * node proofs/check-torchrun.ts PYTHON, an interpreter that has torch
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { packagePath } from "../src/package.ts";
import { rowsRecipe, stages } from "../test/support/training-rows.ts";

const python = process.argv[2];
if (python === undefined) throw new Error("usage: node proofs/check-torchrun.ts PYTHON");
const folder = mkdtempSync(join(tmpdir(), "llava-torchrun-"));
try {
  const output = join(folder, "run");
  const fields = { ...stages["full"], sharding: "weights" as const, maxSteps: 12, checkpoint: { every: 2 } };
  const recipe = join(folder, "recipe.json");
  writeFileSync(recipe, JSON.stringify(rowsRecipe(output, fields)));
  const launcher = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--max-restarts", "1"];
  const program = ["--no-python", process.execPath, packagePath("bin/llava.js")];
  const child = spawn(python, [...launcher, ...program, "-q", "train", recipe, "--resume"], {
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, OMP_NUM_THREADS: "1" },
  });
  const ended = once(child, "exit");
  const log = join(output, "log.jsonl");
  const lines = (): string[] => (existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : []);
  while (child.exitCode === null && lines().length < 3) await setTimeout(20);
  const rank = readdirSync("/proc").find((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8");
      return environment.includes("\0RANK=1\0") && isOurs(pid);
    } catch {
      return false;
    }
  });
  process.kill(Number(rank), "SIGKILL");
  const [status] = await ended;
  const steps = lines().map((line) => (JSON.parse(line) as { step: number }).step);
  console.log(`status ${status}, steps ${steps.join(" ")}`);
  const isWhole = steps.length === 12 && steps.every((step, i) => step === i + 1);
  process.exitCode = status === 0 && isWhole ? 0 : 1;

  /** Whether a process is one of the ranks that this script had started. */
  function isOurs(pid: string): boolean {
    const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1];
    return parent === String(child.pid);
  }
} finally {
  rmSync(folder, { recursive: true });
}
