import { accessSync, constants, statfsSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { makeFolders, refusalOf, unwritable } from "../files/index.ts";

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
 * Makes a folder of the cache, and those above it; `variable` is what can move it.
 * @throws LlavaError "setup" when it cannot be made or written to, or its disk has less than `room` bytes
 */
export function makeCacheFolder(folder: string, room = 0, variable = "LLAVA_HOME"): void {
  try {
    makeFolders(folder);
    accessSync(folder, constants.W_OK);
  } catch (cause) {
    throw unwritable(folder, cause, variable);
  }
  const free = freeBytes(folder);
  if (free !== undefined && free < room)
    throw new LlavaError(
      "setup",
      `the disk of ${folder} has ${gigabytes(free)} free, and ${gigabytes(room)} are needed`,
      { hint: `Free some, or set ${variable} to a folder on a larger disk.` },
    );
}

/** Why the cache cannot be written, without changing anything; undefined when it can. */
export function whyUnwritable(folder: string): string | undefined {
  try {
    accessSync(folder, constants.W_OK);
    return statSync(folder).isDirectory() ? undefined : "there is a file of that name";
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const above = dirname(folder);
    return code === "ENOENT" && above !== folder ? whyUnwritable(above) : refusalOf(error);
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
