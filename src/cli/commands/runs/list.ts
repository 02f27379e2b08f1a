import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { LlavaError } from "../../../errors.ts";

/** A training run as its folder tells it: recipe.json, log.jsonl, checkpoints/ and, at its end, the result. */
export interface RunSummary {
  readonly folder: string;
  /** Running while the log still grows; crashed where the last step was not saved, as it is when a run is stopped. */
  readonly state: "running" | "finished" | "stopped" | "crashed";
  readonly step: number;
  /** Of the last step, and of the newest measurement on held-out rows. */
  readonly loss: number | undefined;
  readonly heldOutLoss: number | undefined;
  /** Spent in steps. */
  readonly seconds: number;
  /** When the log was last written. */
  readonly updated: Date;
  /** Step of the newest checkpoint. */
  readonly checkpoint: number | undefined;
  readonly log: readonly Readonly<Record<string, number>>[];
}

const deepest = 4;

/** Folders that a run leaves at its end. */
const results = new Set(["adapter", "model"]);

/** Runs in the folders, or those that lie in them, the newest first. @throws LlavaError "usage" for a folder without any */
export async function findRuns(folders: readonly string[], now: Date): Promise<RunSummary[]> {
  const found = new Map<string, RunSummary>();
  for (const folder of folders) {
    const runs = await runFolders(folder, deepest);
    if (runs.length === 0)
      throw new LlavaError("usage", `${folder} holds no training run`, {
        hint: "Give folders in which llava train wrote recipe.json and log.jsonl.",
      });
    for (const run of runs) found.set(run, await readRun(run, now));
  }
  return [...found.values()].sort((a, b) => b.updated.getTime() - a.updated.getTime());
}

async function runFolders(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names = new Set(entries.map(({ name }) => name));
  if (names.has("recipe.json") && names.has("log.jsonl")) return [folder];
  if (depth === 0) return [];
  const inner = entries.filter((entry) => entry.isDirectory() && !entry.name.startsWith("."));
  const runs = await Promise.all(inner.map(({ name }) => runFolders(join(folder, name), depth - 1)));
  return runs.flat();
}

async function readRun(folder: string, now: Date): Promise<RunSummary> {
  const path = join(folder, "log.jsonl");
  const [text, { mtime }, entries, checkpoints] = await Promise.all([
    readFile(path, "utf8"),
    stat(path),
    readdir(folder),
    readdir(join(folder, "checkpoints")).catch(() => []),
  ]);
  const log = text.split("\n").flatMap(entry);
  const last = (name: string): number | undefined => log.findLast((line) => name in line)?.[name];
  const steps = checkpoints.flatMap((name) => /^step-(\d+)$/.exec(name)?.[1] ?? []).map(Number);
  const isFinished = entries.some((name) => name.endsWith(".safetensors") || results.has(name));
  const step = last("step") ?? 0;
  // A step may be followed by a checkpoint or a measurement, which take longer than it.
  const patience = Math.max(60, 20 * (last("seconds") ?? 0));
  const isFresh = (now.getTime() - mtime.getTime()) / 1000 < patience;
  return {
    folder,
    state: isFinished ? "finished" : isFresh ? "running" : steps.includes(step) ? "stopped" : "crashed",
    step,
    loss: last("loss"),
    heldOutLoss: last("heldOutLoss"),
    seconds: log.reduce((sum, { seconds = 0 }) => sum + seconds, 0),
    updated: mtime,
    checkpoint: steps.length > 0 ? Math.max(...steps) : undefined,
    log,
  };
}

/** The last line of a run that goes on may be half written. */
function entry(line: string): Readonly<Record<string, number>>[] {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? [value as Record<string, number>] : [];
  } catch {
    return [];
  }
}

/** Names of the runs' folders, as long as tells them apart. */
export function shortNames(folders: readonly string[]): string[] {
  const short = folders.map((folder) => basename(folder));
  return folders.map((folder, index) =>
    short.indexOf(short[index]!) === short.lastIndexOf(short[index]!) ? short[index]! : folder,
  );
}
