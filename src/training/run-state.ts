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
import { hostname } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { openSafetensors, writeSafetensors } from "../checkpoint/index.ts";
import { alone, type Communicator, divide, meet, type RankGroups } from "../distributed/index.ts";
import { LlavaError } from "../errors.ts";
import { describeIssues, fileSha256Sync, makeFolder, writeAtomically, writing } from "../files/index.ts";
import type { Tensor } from "../torch/index.ts";
import { type GuardState, guardStateSchema } from "./callbacks/guards.ts";
import { areInPieces } from "./sharding/pieces.ts";

/** Everything that a run needs to go on as if it had not stopped. */
export interface RunState {
  /** Steps done. */
  readonly step: number;
  /** Trained weights, by the model's names; or pieces of them, "name[from:to]". */
  readonly weights: ReadonlyMap<string, Tensor>;
  readonly optimizer: ReadonlyMap<string, Tensor>;
  /** Where the batch source is; plain JSON. */
  readonly source: unknown;
  /** Of the torch generators of all ranks, bytes. */
  readonly generators: readonly Uint8Array[];
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
 * disk; one that was cut short keeps another name and is removed by the next write. All ranks that each have a part
 * of the tensors call it together, and see the same folder; the first group of them writes.
 */
export function writeCheckpoint(
  folder: string,
  state: RunState,
  retention: Retention,
  { all: among, within, across }: RankGroups = divide(alone, undefined),
): string {
  const name = `step-${String(state.step).padStart(7, "0")}`;
  const target = join(folder, name);
  const partial = join(folder, `${name}.partial`);
  const isFirst = among.rank === 0;
  if (isFirst) {
    makeFolder(folder);
    for (const entry of readdirSync(folder))
      if (entry.endsWith(".partial")) rmSync(join(folder, entry), { recursive: true, force: true });
    makeFolder(partial);
  }
  among.barrier();
  if (!existsSync(partial)) throw unseen(among, partial);
  try {
    const sha256 = Object.assign(
      {},
      ...meet(among, across.rank === 0 ? writeParts(partial, state, within) : {}),
    ) as object;
    if (isFirst) {
      writeState(partial, state, sha256);
      writing(target, () => {
        rmSync(target, { recursive: true, force: true });
        renameSync(partial, target);
        syncFolder(folder);
      });
    }
  } catch (error) {
    if (isFirst) rmSync(partial, { recursive: true, force: true });
    throw error;
  }
  if (isFirst)
    for (const path of superfluous(folder, retention)) {
      // Under its own name it would look whole for as long as removing it takes.
      renameSync(path, `${path}.partial`);
      rmSync(`${path}.partial`, { recursive: true, force: true });
    }
  return target;
}

/** For a folder that the first rank made and this one has not. */
export const unseen = ({ rank }: Communicator, folder: string): LlavaError =>
  new LlavaError("checkpoint", `rank ${rank} on ${hostname()} does not see ${folder}`, {
    hint: "All ranks need the output folder: choose an --output on a disk that all machines have.",
  });

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

/** Hashes of this rank's files, by their names. */
function writeParts(
  folder: string,
  { weights, optimizer }: RunState,
  { rank, size }: Communicator,
): Record<string, string> {
  const part = areInPieces(weights.keys()) ? `-${rank + 1}-of-${size}` : "";
  const parts = { [`weights${part}.safetensors`]: weights, [`optimizer${part}.safetensors`]: optimizer };
  const hashes: Record<string, string> = {};
  for (const [file, tensors] of Object.entries(parts)) {
    writeSafetensors(join(folder, file), tensors);
    hashes[file] = fileSha256Sync(join(folder, file));
  }
  return hashes;
}

function writeState(folder: string, state: RunState, sha256: object): void {
  const { step, source, recipe, guards, heldOutLoss } = state;
  const [generator, ...others] = state.generators.map((bytes) => Buffer.from(bytes).toString("base64"));
  const generators = others.length > 0 ? { otherGenerators: others } : {};
  const json = { step, heldOutLoss, source, guards, recipe, generator, ...generators, sha256 };
  writeAtomically(join(folder, stateFile), [`${JSON.stringify(json, null, 2)}\n`]);
}

/**
 * Reads one checkpoint, of which each rank `among` checks a part. Throws `checkpoint` for a file that is missing or not the one
 * that was written.
 */
export function readCheckpoint(path: string, among: Communicator = alone): RunState {
  try {
    const { sha256: hashes, generator, otherGenerators, ...state } = readState(path);
    for (const [i, [file, expected]] of Object.entries(hashes).entries())
      if (i % among.size === among.rank && fileSha256Sync(join(path, file)) !== expected)
        throw new LlavaError("checkpoint", `${join(path, file)} is not what was written: its hash differs`);
    return {
      ...state,
      generators: [generator, ...otherGenerators],
      weights: readTensors(path, Object.keys(hashes), "weights"),
      optimizer: readTensors(path, Object.keys(hashes), "optimizer"),
    };
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    throw new LlavaError("checkpoint", `${path}: not a whole checkpoint: ${(cause as Error).message}`, {
      cause,
    });
  }
}

const bytesSchema = z.base64().transform((text) => Buffer.from(text, "base64"));

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
  generator: bytesSchema,
  /** Of the ranks behind the first. */
  otherGenerators: z.array(bytesSchema).default([]),
  sha256: z.record(z.string(), z.string()),
});

function readState(path: string): z.output<typeof stateSchema> {
  const read = stateSchema.safeParse(JSON.parse(readFileSync(join(path, stateFile), "utf8")));
  if (read.success) return read.data;
  throw new Error(`${stateFile} does not hold together: ${describeIssues(read.error)}`);
}

/**
 * The newest checkpoint that is whole, if there are any, the same on all ranks. Those that are not are passed over, and
 * reported.
 * @throws LlavaError "checkpoint" where none of them is: to start over would throw away a run that may be saved
 */
export function latestCheckpoint(
  folder: string,
  report: (line: string) => void = () => {},
  among: Communicator = alone,
): RunState | undefined {
  const [found] = meet(among, checkpointFolders(folder)) as [{ step: number; path: string }[]];
  for (const { path } of found) {
    const read = attempt(() => readCheckpoint(path, among));
    const problem = meet(among, "problem" in read ? read.problem : undefined).find(Boolean);
    if ("state" in read && problem === undefined) return read.state;
    report(`passing over ${path}: ${problem}`);
  }
  if (found.length === 0) return undefined;
  throw new LlavaError("checkpoint", `${folder}: none of its ${found.length} checkpoints is whole`, {
    hint: "Restore one of them, or start again in a new folder.",
  });
}

function attempt(read: () => RunState): { state: RunState } | { problem: string } {
  try {
    return { state: read() };
  } catch (error) {
    return { problem: (error as Error).message };
  }
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

/** Of all files of a kind. */
function readTensors(folder: string, files: readonly string[], kind: string): Map<string, Tensor> {
  const own = files.filter((file) => file.startsWith(kind));
  return new Map(
    own.flatMap((file) => {
      using source = openSafetensors(join(folder, file));
      return [...source.names()].map((name) => [name, source.read(name)] as const);
    }),
  );
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
