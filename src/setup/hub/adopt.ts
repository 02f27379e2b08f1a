import { existsSync, readdirSync, readlinkSync, rmdirSync } from "node:fs";
import { copyFile, link, mkdir, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Environment } from "../cache.ts";
import { hasHash } from "../download.ts";
import { filesIn } from "./find.ts";
import type { HubFile, HubListing } from "./listing.ts";
import { besides, linkTo } from "./storage.ts";

/** Whether a file has a listed one's content. A hub's cache names contents by what they are; any other file is read. */
export async function isFileOf(path: string, { etag = "" }: HubFile): Promise<boolean> {
  const names = [path, await realpath(path), linked(path)].map((name) => basename(name));
  return names.includes(etag) || (await hasHash(path, etag));
}

function linked(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return path; // no link
  }
}

/** Gives a file a second name, in place of whatever is there; another disk's is pointed to, or copied. */
export async function adopt(existing: string, path: string, env: Environment): Promise<void> {
  const target = await realpath(existing);
  const beside = besides(path);
  await mkdir(dirname(path), { recursive: true });
  try {
    await link(target, beside);
  } catch {
    if (await linkTo(target, path, env)) return;
    await copyFile(target, beside);
  }
  await rename(beside, path);
}

/** Goes on with the first partial file that is there and can be moved. */
export async function adoptPartial(candidates: readonly string[], partial: string): Promise<void> {
  const found = candidates.find((path) => existsSync(path));
  if (found === undefined || existsSync(partial)) return;
  await mkdir(dirname(partial), { recursive: true });
  await rename(found, partial).catch(() => {}); // of another disk
}

/**
 * Clears the folders in which earlier versions of this project kept a model, but for what a snapshot has not taken over:
 * files that are another than the hub's, and those of another disk, to which it points.
 */
export async function leaveEarlier(
  folders: readonly string[],
  snapshot: string,
  { files }: HubListing,
  report: ((line: string) => void) | undefined,
): Promise<void> {
  for (const folder of folders) {
    const kept: string[] = [];
    for (const name of filesIn(folder)) {
      const listed = files.get(name.replace(/\.partial$/, ""));
      const isTaken =
        listed !== undefined && (await hasTaken(join(snapshot, listed.name), join(folder, name), listed));
      if (isTaken) await rm(join(folder, name));
      else kept.push(name);
    }
    removeEmpty(folder);
    if (existsSync(folder)) {
      report?.(
        `${folder}, of an earlier version, is left with what ${snapshot} has not: ${kept.join(", ")}.`,
      );
      continue;
    }
    await rm(`${folder}.json`, { force: true });
    report?.(`What an earlier version kept in ${folder} was moved to ${snapshot}.`);
  }
}

async function hasTaken(taken: string, earlier: string, listed: HubFile): Promise<boolean> {
  if (!existsSync(taken) || (await realpath(taken)) === (await realpath(earlier))) return false;
  return earlier.endsWith(".partial") || (await isSame(taken, earlier)) || (await isFileOf(earlier, listed));
}

async function isSame(first: string, second: string): Promise<boolean> {
  const [one, other] = await Promise.all([stat(first), stat(second)]);
  return one.ino === other.ino && one.dev === other.dev;
}

function removeEmpty(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeEmpty(join(folder, entry.name));
  if (readdirSync(folder).length === 0) rmdirSync(folder);
}
