import {
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { openSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import { LlavaError } from "../errors.ts";
import { describeIssues, fileSha256Sync, makeFolder, writeAtomically, writing } from "../files/index.ts";
import type { Tensor } from "../torch/index.ts";
import { type GuardState, guardStateSchema } from "./callbacks/guards.ts";

/** Everything that a run needs to go on as if it had not stopped. */
export interface RunState {
  /** Steps done. */
  readonly step: number;
  /** Trained weights, by the model's names. */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly optimizer: ReadonlyMap<string, Tensor>;
  /** Where the batch source is; plain JSON. */
  readonly source: unknown;
  /** Of the torch generator, bytes. */
  readonly generator: Uint8Array;
  /** The resolved recipe; plain JSON. */
  readonly recipe: unknown;
  readonly guards?: GuardState | undefined;
  /** Where the step was evaluated. */
  readonly heldOutLoss?: number | undefined;
}

/** How many checkpoints a folder keeps. */
export interface Retention {
  /** The newest. */
  readonly keep: number;
  /** Besides them, those with the lowest held-out loss. */
  readonly keepBest: number;
}

const stateFile = "state.json";
const folderPattern = /^step-(\d+)$/;

/**
 * Writes `<folder>/step-<n>/` and removes those that need not be kept. The folder takes its name when everything is on
 * disk; one that was cut short keeps another name and is removed by the next write.
 */
export function writeCheckpoint(folder: string, state: RunState, retention: Retention): string {
  const name = `step-${String(state.step).padStart(7, "0")}`;
  const target = join(folder, name);
  const partial = join(folder, `${name}.partial`);
  makeFolder(folder);
  for (const entry of readdirSync(folder))
    if (entry.endsWith(".partial")) rmSync(join(folder, entry), { recursive: true, force: true });
  makeFolder(partial);
  try {
    writeParts(partial, state);
    writing(target, () => {
      rmSync(target, { recursive: true, force: true });
      renameSync(partial, target);
      syncFolder(folder);
    });
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  for (const path of superfluous(folder, retention)) {
    // Under its own name it would look whole for as long as removing it takes.
    renameSync(path, `${path}.partial`);
    rmSync(`${path}.partial`, { recursive: true, force: true });
  }
  return target;
}

function superfluous(folder: string, { keep, keepBest }: Retention): string[] {
  const older = checkpointFolders(folder).slice(keep);
  const evaluated = older.flatMap(({ path }) => {
    const loss = heldOutLossOf(path);
    return loss === undefined ? [] : [{ path, loss }];
  });
  const best = evaluated.toSorted((a, b) => a.loss - b.loss).slice(0, keepBest);
  return older.flatMap(({ path }) => (best.some((each) => each.path === path) ? [] : [path]));
}

/** undefined for a checkpoint that was not evaluated, or is damaged. */
function heldOutLossOf(path: string): number | undefined {
  try {
    return readState(path).heldOutLoss;
  } catch {
    return undefined;
  }
}

function writeParts(folder: string, state: RunState): void {
  const { weights, optimizer, step, source, recipe, guards, heldOutLoss } = state;
  const parts = { "weights.safetensors": weights, "optimizer.safetensors": optimizer };
  const hashes: Record<string, string> = {};
  for (const [file, tensors] of Object.entries(parts)) {
    writeSafetensors(join(folder, file), tensors);
    hashes[file] = fileSha256Sync(join(folder, file));
  }
  const generator = Buffer.from(state.generator).toString("base64");
  const json = { step, heldOutLoss, source, guards, recipe, generator, sha256: hashes };
  writeAtomically(join(folder, stateFile), [`${JSON.stringify(json, null, 2)}\n`]);
}

/** Reads one checkpoint. Throws `checkpoint` for a file that is missing or not the one that was written. */
export function readCheckpoint(path: string): RunState {
  try {
    const { sha256: hashes, ...state } = readState(path);
    for (const [file, expected] of Object.entries(hashes))
      if (fileSha256Sync(join(path, file)) !== expected)
        throw new LlavaError("checkpoint", `${join(path, file)} is not what was written: its hash differs`);
    return {
      ...state,
      weights: readTensors(join(path, "weights.safetensors")),
      optimizer: readTensors(join(path, "optimizer.safetensors")),
    };
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("checkpoint", `${path}: not a whole checkpoint: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** state.json, in which a number that is none is null. */
const stateSchema = z.object({
  step: z.int().min(0),
  heldOutLoss: z
    .number()
    .nullish()
    .transform((loss) => loss ?? undefined),
  source: z.unknown(),
  guards: guardStateSchema.optional(),
  recipe: z.unknown(),
  generator: z.base64().transform((text) => Buffer.from(text, "base64")),
  sha256: z.record(z.string(), z.string()),
});

function readState(path: string): z.output<typeof stateSchema> {
  const read = stateSchema.safeParse(JSON.parse(readFileSync(join(path, stateFile), "utf8")));
  if (read.success) return read.data;
  throw new Error(`${stateFile} does not hold together: ${describeIssues(read.error)}`);
}

/**
 * The newest checkpoint that is whole, if there are any. Those that are not are passed over, and reported.
 * @throws LlavaError "checkpoint" where none of them is: to start over would throw away a run that may be saved
 */
export function latestCheckpoint(
  folder: string,
  report: (line: string) => void = () => {},
): RunState | undefined {
  const found = checkpointFolders(folder);
  for (const { path } of found) {
    try {
      return readCheckpoint(path);
    } catch (error) {
      report(`passing over ${path}: ${(error as Error).message}`);
    }
  }
  if (found.length === 0) return undefined;
  throw new LlavaError("checkpoint", `${folder}: none of its ${found.length} checkpoints is whole`, {
    hint: "Restore one of them, or start again in a new folder.",
  });
}

/** Newest first. */
function checkpointFolders(folder: string): { step: number; path: string }[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .flatMap((name) => {
      const match = folderPattern.exec(name);
      return match ? [{ step: Number(match[1]), path: join(folder, name) }] : [];
    })
    .sort((a, b) => b.step - a.step);
}

function readTensors(path: string): Map<string, Tensor> {
  using source = openSafetensors(path);
  return new Map([...source.names()].map((name) => [name, source.read(name)]));
}

/** Makes the renaming last through a power cut. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
