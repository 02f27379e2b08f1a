import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, parseJsonObject } from "../../files/index.ts";
import type { Environment } from "../cache.ts";
import type { HubChoice, HubId } from "./id.ts";
import { type HubFile, type HubListing, readListing } from "./listing.ts";
import { type RepositoryFiles, repositoryFiles } from "./repository.ts";
import { type HubStorage, hubStorages, ownRoot, sizeOf } from "./storage.ts";
import { loadedFolder } from "./view.ts";

/** A commit's files on this machine. */
interface HubSnapshot {
  storage: HubStorage;
  commit: string;
  folder: string;
}

/** The snapshots of a revision, in the caches that have one. */
export function snapshotsOf({ repository, revision }: HubId, env: Environment): HubSnapshot[] {
  return hubStorages(repository, env)
    .map((storage) => ({ storage, commit: storage.commitOf(revision) }))
    .map((found) => ({ ...found, folder: found.storage.snapshot(found.commit) }))
    .filter(({ folder }) => existsSync(folder));
}

/** Where earlier versions of this project kept a model: whole, and while it was being fetched. */
export function earlierFolders({ repository, revision }: HubId, env: Environment): string[] {
  const own = join(ownRoot(env), `${repository}@${revision}`.replaceAll("/", "--"));
  return [own, `${own}.partial`].filter((folder) => existsSync(folder));
}

/** The folder of a model of which a listing tells the files, with all of them there. */
export function completeFolder(id: HubId, env: Environment): string | undefined {
  const storages = hubStorages(id.repository, env);
  for (const { commit, folder } of snapshotsOf(id, env)) {
    const listing = readListing(storages, commit);
    if (!listing) continue;
    const { files, unread, missing } = chooseListed(listing, id, (file) => isThere(folder, file) && folder);
    if (
      [...unread, ...missing].length === 0 &&
      files.every((name) => isThere(folder, listing.files.get(name)!))
    )
      return loadedFolder(id, commit, folder, files, env);
  }
  return undefined;
}

/**
 * The folder of a model that can be used as far as its files tell by themselves: configuration and all weights are there.
 * Files that only the hub knows of, such as a chat template, may be missing.
 */
export function usableFolder(id: HubId, env: Environment): string | undefined {
  for (const { commit, folder } of snapshotsOf(id, env)) {
    const files = usableFiles(folder, id);
    if (files) return loadedFolder(id, commit, folder, files, env);
  }
  return earlierFolders(id, env).find(
    (folder) => id.part === undefined && !folder.endsWith(".partial") && usableFiles(folder, id),
  );
}

/** The files of a folder that make a model; undefined where one of them is not there, or one that decides it damaged. */
export function usableFiles(folder: string, choice: HubChoice = {}): string[] | undefined {
  const names = new Set(filesIn(folder));
  const { files, unread, missing } = chooseFiles(names, choice, (name) => names.has(name) && folder);
  return [...unread, ...missing].length === 0 ? files : undefined;
}

/** Whether a folder has a file, as far as its length tells. */
export function isThere(folder: string, { name, bytes }: HubFile): boolean {
  const size = sizeOf(join(folder, name));
  return size !== undefined && (bytes === 0 || size === bytes);
}

/** Of a listing (see `chooseFiles`). */
export const chooseListed = (
  { files }: HubListing,
  choice: HubChoice,
  folderOf: (file: HubFile) => string | false,
): RepositoryFiles =>
  chooseFiles(new Set(files.keys()), choice, (name) => {
    const file = files.get(name);
    return file !== undefined && folderOf(file);
  });

/**
 * The files that make a model. `unread` are those that decide which others belong to it, and are not here or damaged.
 * @param folderOf where a file is; false for one that is not here
 */
function chooseFiles(
  names: ReadonlySet<string>,
  choice: HubChoice,
  folderOf: (name: string) => string | false,
): RepositoryFiles {
  const contents = new Map<string, JsonObject>();
  for (;;) {
    const chosen = repositoryFiles(names, contents, {
      ...choice,
      isHere: (name) => folderOf(name) !== false,
    });
    const before = contents.size;
    for (const name of chosen.unread) {
      const folder = folderOf(name);
      const content = folder === false ? undefined : readJson(join(folder, name));
      if (content) contents.set(name, content);
    }
    if (contents.size === before) return chosen;
  }
}

function readJson(path: string): JsonObject | undefined {
  try {
    return parseJsonObject(readFileSync(path), path);
  } catch (error) {
    if (error instanceof LlavaError) return undefined;
    throw error;
  }
}

/** Paths inside a folder of all files that are there; links to nothing are not. */
export function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return (readdirSync(folder, { recursive: true }) as string[]).filter(
    (name) => sizeOf(join(folder, name)) !== undefined,
  );
}
