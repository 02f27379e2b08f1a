import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "./cache.ts";
import { chooseListed, completeFolder, filesIn, isThere, usableFiles } from "./hub/find.ts";
import { hubName } from "./hub/id.ts";
import { readListing } from "./hub/listing.ts";
import { modelFolders, repositoryFiles } from "./hub/repository.ts";
import { HubStorage, hubStorages, ownRoot, repositoryOf, sizeOf } from "./hub/storage.ts";
import { builtinModels } from "./manifest.ts";
import { builtinFolder, missingFiles } from "./wheel-model.ts";

export interface CachedModel {
  name: string;
  summary: string;
  folder: string;
  /** Bytes on disk. */
  bytes: number;
  /** Whether all files that are to be fetched are here. */
  complete: boolean;
}

/** The built-in models and those that were downloaded from the hub by this project. */
export function listModels(env: Environment = process.env): CachedModel[] {
  const builtin = Object.entries(builtinModels).map(([name, model]) => {
    const folder = builtinFolder(name, env);
    const complete = missingFiles(model, folder).length === 0;
    return { name, summary: model.summary, folder, bytes: folderBytes(folder), complete };
  });
  const folders = entriesOf(ownRoot(env)).filter((entry) =>
    statSync(join(ownRoot(env), entry), { throwIfNoEntry: false })?.isDirectory(),
  );
  const repositories = folders.map(repositoryOf).filter((name) => name !== undefined);
  const earlier = folders.filter((entry) => /^[^.].*@/.test(entry) && repositoryOf(entry) === undefined);
  return [
    ...builtin,
    ...repositories.flatMap((repository) => modelsOf(repository, env)),
    ...earlierModels(earlier, env),
  ];
}

/** Every commit of a repository that this project has asked for. */
function modelsOf(repository: string, env: Environment): CachedModel[] {
  const storages = hubStorages(repository, env);
  const own = new HubStorage(ownRoot(env), repository);
  return entriesOf(join(own.folder, "trees"))
    .map((entry) => entry.replace(/\.json$/, ""))
    .flatMap((commit) => {
      const folder = storages.map((storage) => storage.snapshot(commit)).find((path) => existsSync(path));
      if (folder === undefined) return [];
      const revisions = new Set(storages.flatMap((storage) => storage.revisionsOf(commit)));
      const complete = isComplete(repository, commit, folder, env);
      if (!complete && isDescription(repository, commit, folder, env)) return [];
      return [...(revisions.size > 0 ? revisions : [commit])].map((revision) => ({
        name: hubName({ repository, revision }),
        summary: "from the hub",
        folder,
        bytes: folderBytes(folder),
        complete,
      }));
    });
}

/** Whether a snapshot has nothing but what describes a model. */
function isDescription(repository: string, revision: string, folder: string, env: Environment): boolean {
  const listing = readListing(hubStorages(repository, env), revision);
  const described =
    listing && chooseListed(listing, { weights: false }, (file) => isThere(folder, file) && folder);
  return filesIn(folder).every((name) => described?.files.includes(name));
}

/** Whether a snapshot has a whole model; of several GGUF files or folders, any. */
function isComplete(repository: string, revision: string, folder: string, env: Environment): boolean {
  if (completeFolder({ repository, revision }, env) !== undefined) return true;
  const names = new Set(readListing(hubStorages(repository, env), revision)?.files.keys());
  const { choices } = repositoryFiles(names, new Map());
  return [...choices, ...modelFolders(names)].some((part) => usableFiles(folder, { part }) !== undefined);
}

/** A download of an earlier version that is not finished lies under another name, beside one that is where there is one. */
function earlierModels(folders: readonly string[], env: Environment): CachedModel[] {
  const names = new Set(folders.map((entry) => entry.replace(/\.partial$/, "")));
  return [...names].map((entry) => {
    const own = join(ownRoot(env), entry);
    const complete = folders.includes(entry) && usableFiles(own) !== undefined;
    const folder = folders.includes(entry) ? own : `${own}.partial`;
    const name = entry.replace("--", "/").replace(/@main$/, "");
    return { name, summary: "from the hub", folder, bytes: folderBytes(folder), complete };
  });
}

const entriesOf = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);

function folderBytes(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true }).reduce(
    (sum, entry) => sum + (sizeOf(join(entry.parentPath, entry.name)) ?? 0),
    0,
  );
}
