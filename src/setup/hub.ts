import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { type JsonObject, parseJsonObject } from "../files/index.ts";
import { cacheFolder, type Environment } from "./cache.ts";
import { hubCache } from "./hub-account.ts";
import { repositoryFiles } from "./repository.ts";

/** A model on the hub: "organisation/name", with "@revision" for another branch, tag or commit than main. */
export interface HubId {
  repository: string;
  revision: string;
}

export function parseHubId(text: string): HubId | undefined {
  const match = text.match(/^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w][\w./-]*))?$/);
  return match ? { repository: match[1]!, revision: match[2] ?? "main" } : undefined;
}

/** Which files of a repository a folder must have, as the hub has told once. */
export interface HubRecord {
  /** Commit of the snapshot of Python's hub client; absent for this project's own folder. */
  snapshot?: string;
  /** Bytes of each file; null for small ones, which may be edited. */
  files: Record<string, number | null>;
}

/** Where a model's files are or will be. */
export interface HubPlaces {
  /** This project's folder of it. */
  own: string;
  /** Its record, beside. */
  record: string;
  /** The snapshot that Python's hub client has of it. */
  snapshot: { folder: string; commit: string } | undefined;
}

export function hubPlaces({ repository, revision }: HubId, env: Environment): HubPlaces {
  const own = join(cacheFolder(env), "hub", `${repository}@${revision}`.replaceAll("/", "--"));
  const shared = join(hubCache(env), `models--${repository.replace("/", "--")}`);
  const reference = join(shared, "refs", revision);
  const commit = existsSync(reference) ? readFileSync(reference, "utf8").trim() : revision;
  const folder = join(shared, "snapshots", commit);
  return { own, record: `${own}.json`, snapshot: existsSync(folder) ? { folder, commit } : undefined };
}

/** Where all files of a model but its weights are or will be: apart, since what is incomplete is no model. */
export function describedPlaces({ own: whole, snapshot }: HubPlaces): HubPlaces {
  const own = join(dirname(dirname(whole)), "descriptions", basename(whole));
  return { own, record: `${own}.json`, snapshot };
}

/** The folder of which the hub has told that it is complete, with all files still there. */
export function recordedFolder(places: HubPlaces): string | undefined {
  const { snapshot, files } = readRecord(places.record) ?? {};
  if (!files) return undefined;
  const folder = snapshot === undefined ? places.own : places.snapshot?.folder;
  if (folder === undefined || (snapshot !== undefined && snapshot !== places.snapshot?.commit))
    return undefined;
  const isThere = ([name, bytes]: [string, number | null]): boolean => {
    const size = sizeOf(join(folder, name));
    return size !== undefined && (bytes === null || size === bytes);
  };
  return Object.entries(files).every(isThere) ? folder : undefined;
}

function readRecord(path: string): HubRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, "utf8")) as HubRecord;
    return typeof record.files === "object" ? record : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The folder of a model that can be used as far as its files tell by themselves: configuration and all weights are there.
 * Files that only the hub knows of, such as a chat template, may be missing.
 */
export function usableFolder({ own, snapshot }: HubPlaces): string | undefined {
  return [snapshot?.folder, own].find((folder) => folder !== undefined && isUsable(folder));
}

export function isUsable(folder: string): boolean {
  try {
    return hasAllParts(folder);
  } catch (error) {
    if (error instanceof LlavaError) return false; // a damaged index is for the hub to replace
    throw error;
  }
}

function hasAllParts(folder: string): boolean {
  const names = new Set(filesIn(folder));
  if (names.size === 0) return false;
  const contents = new Map<string, JsonObject>();
  for (;;) {
    const { unread, missing } = repositoryFiles(names, contents);
    if (missing.length > 0) return false;
    if (unread.length === 0) return true;
    for (const name of unread) {
      const path = join(folder, name);
      contents.set(name, parseJsonObject(readFileSync(path), path));
    }
  }
}

/** Paths inside a folder of all files that are there; links to nothing are not. */
function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return (readdirSync(folder, { recursive: true }) as string[]).filter(
    (name) => sizeOf(join(folder, name)) !== undefined,
  );
}

/** Bytes of a file, through links; undefined where there is none. */
export function sizeOf(path: string): number | undefined {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.size : undefined;
}
