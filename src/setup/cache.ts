import { accessSync, constants, mkdirSync, statfsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";

/** The environment variables that set-up looks at, and any others for the programs that it starts. */
export interface Environment {
  readonly [name: string]: string | undefined;
  readonly PATH?: string | undefined;
  readonly CXX?: string | undefined;
  readonly LIBTORCH?: string | undefined;
  readonly LLAVA_HOME?: string | undefined;
  readonly XDG_CACHE_HOME?: string | undefined;
  readonly HF_ENDPOINT?: string | undefined;
  readonly HF_HOME?: string | undefined;
  readonly HF_HUB_CACHE?: string | undefined;
  readonly HF_TOKEN?: string | undefined;
  readonly HF_TOKEN_PATH?: string | undefined;
  readonly HF_HUB_OFFLINE?: string | undefined;
}

/** The folder for everything that is downloaded: `$LLAVA_HOME`, else `$XDG_CACHE_HOME/llava`, else `~/.cache/llava`. */
export function cacheFolder(env: Environment = process.env): string {
  const { LLAVA_HOME, XDG_CACHE_HOME } = env;
  return LLAVA_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "llava");
}

/**
 * Makes a folder of the cache, and those above it.
 * @throws LlavaError "setup" when it cannot be made or written to, or its disk has less than `room` bytes
 */
export function makeCacheFolder(folder: string, room = 0): void {
  try {
    makeFolders(folder);
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw unwritable(folder, cause);
  }
  const free = freeBytes(folder);
  if (free !== undefined && free < room)
    throw new LlavaError(
      "setup",
      `the disk of ${folder} has ${gigabytes(free)} free, and ${gigabytes(room)} are needed`,
      { hint: "Free some, or set LLAVA_HOME to a folder on a larger disk." },
    );
}

/** Node's own recursion does not end where a folder cannot be made in one that exists, as in /proc. */
export function makeFolders(folder: string): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return;
  if (dirname(folder) !== folder) makeFolders(dirname(folder));
  try {
    mkdirSync(folder);
  } catch (error) {
    // another process may have been faster
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** Why the cache cannot be written, without changing anything; undefined when it can. */
export function whyUnwritable(folder: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK);
    return undefined;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(folder);
    return code === "ENOENT" && above !== folder ? whyUnwritable(above) : reasonOf(error);
  }
}

/** Bytes that the disk of a folder, or of the nearest one above it that exists, has free. */
export function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    const above = dirname(folder);
    return above === folder ? undefined : freeBytes(above);
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

/** Codes of a file system that refuses to be written, whatever the program does. */
const refusals: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "it is read-only",
  ENOENT: "a folder above it cannot be made",
  ENOTDIR: "a part of its path is no folder",
  EEXIST: "there is a file of that name",
  ENOSPC: "the disk is full",
  EDQUOT: "the disk quota is used up",
};

/** Whether a call failed for a reason that lies in the file system. */
export const isRefusal = (error: unknown): boolean =>
  Object.hasOwn(refusals, (error as NodeJS.ErrnoException).code ?? "");

const reasonOf = (error: unknown): string =>
  refusals[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message;

/** The error for a path that set-up cannot write. */
export const unwritable = (path: string, cause: unknown): LlavaError =>
  new LlavaError("setup", `${path} cannot be written: ${reasonOf(cause)}`, {
    hint: "Make it writable, or set LLAVA_HOME to a folder that is.",
    cause,
  });
