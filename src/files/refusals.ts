import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { LlavaError } from "../errors.ts";

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

/** Why a call of the file system failed, in words. */
export const refusalOf = (error: unknown): string =>
  refusals[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message;

/** The error for a path that cannot be written, and the variable that can move it. */
export const unwritable = (path: string, cause: unknown, variable = "LLAVA_HOME"): LlavaError =>
  new LlavaError("setup", `${path} cannot be written: ${refusalOf(cause)}`, {
    hint: `Make it writable, or set ${variable} to a folder that is.`,
    cause,
  });
