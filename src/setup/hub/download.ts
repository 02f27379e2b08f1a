import { LlavaError } from "../../errors.ts";
import { readJsonObject } from "../../files/index.ts";
import { whyUnwritable } from "../cache.ts";
import { silentProgress } from "../progress.ts";
import { leaveEarlier } from "./adopt.ts";
import { chooseListed, earlierFolders, isThere, snapshotsOf, usableFolder } from "./find.ts";
import { type HubId, hubName } from "./id.ts";
import { type HubFile, type HubListing, keepListing, listRepository, readListing } from "./listing.ts";
import { type HubOptions, Placing } from "./place.ts";
import { modelFolders } from "./repository.ts";
import { type HubStorage, hubStorages } from "./storage.ts";
import { loadedFolder } from "./view.ts";

/**
 * Makes sure that all of a model's files are here and returns their folder: a snapshot in the cache that is shared with
 * Python's hub client, or where that cannot be written one in this project's own. What any of them has, or was left by an
 * interrupted run or an earlier version, is not downloaded again.
 * @throws LlavaError "config" when the hub has no such model, "setup" or "network" for anything else that fails
 */
export async function downloadHubModel(id: HubId, options: HubOptions = {}): Promise<string> {
  const { env = process.env, progress = silentProgress, report } = options;
  const storages = hubStorages(id.repository, env);
  const listing = await listingOf(id, storages, options);
  const { commit } = listing;
  keepListing(listing, storages.at(-1)!);
  const target = storages.find(({ folder }) => whyUnwritable(folder) === undefined) ?? storages.at(-1)!;
  const earlier = earlierFolders(id, env);
  const folders = [...storages.map((storage) => storage.snapshot(commit)), ...earlier];

  const placing = new Placing(id, listing, target, folders, options);
  const wanted = await chooseWanted(id, listing, folders, placing);
  const whole = storages.find((storage) => wanted.every((file) => isThere(storage.snapshot(commit), file)));
  if (!whole) {
    const lacking = wanted.filter((file) => !folders.some((folder) => isThere(folder, file)));
    await placing.prepare(sumOf(lacking));
    if (lacking.length > 0) {
      const verb = lacking.length === wanted.length ? "Downloading" : "Completing";
      report?.(`${verb} ${hubName(id)} in ${target.snapshot(commit)}.`);
    }
    const bar = progress({ label: id.repository, total: sumOf(wanted), unit: "bytes" });
    let before = 0;
    try {
      for (const file of wanted) {
        await placing.place(file, (received) => bar.update(before + received, file.name));
        before += file.bytes;
        bar.update(before);
      }
    } finally {
      bar.stop();
    }
  }
  const storage = whole ?? target;
  setCommit(storage, id.revision, commit, storage === target);
  const isWhole = id.weights !== false && id.part === undefined;
  if (isWhole && storage === target) await leaveEarlier(earlier, target.snapshot(commit), listing, report);
  const names = wanted.map(({ name }) => name);
  return loadedFolder(id, commit, storage.snapshot(commit), names, env);
}

const sumOf = (files: readonly HubFile[]): number => files.reduce((sum, { bytes }) => sum + bytes, 0);

/** A cache that is only read stays as it is. */
function setCommit(storage: HubStorage, revision: string, commit: string, isTarget: boolean): void {
  try {
    storage.setCommit(revision, commit);
  } catch (error) {
    if (isTarget || !(error instanceof LlavaError)) throw error;
  }
}

/**
 * A snapshot that is here is a commit's, whose files are known or asked for; where the hub no longer shows that commit, the
 * revision itself is. A hub that is busy is not waited for where there is something to use instead.
 */
async function listingOf(
  id: HubId,
  storages: readonly HubStorage[],
  options: HubOptions,
): Promise<HubListing> {
  const { env = process.env, refresh = false } = options;
  const commit = refresh ? undefined : snapshotsOf(id, env)[0]?.commit;
  const kept = commit === undefined ? undefined : readListing(storages, commit);
  if (kept) return kept;
  const retry = { ...options, ...(usableFolder(id, env) !== undefined && { retries: 0 }) };
  try {
    return await listRepository(id, commit ?? id.revision, env, retry);
  } catch (error) {
    const isUnknown = error instanceof LlavaError && error.code === "config";
    if (!isUnknown || commit === undefined || commit === id.revision) throw error;
    return await listRepository(id, id.revision, env, retry);
  }
}

/** @throws LlavaError "config" when the repository has no such model */
async function chooseWanted(
  id: HubId,
  listing: HubListing,
  folders: readonly string[],
  placing: Placing,
): Promise<HubFile[]> {
  const folderOf = (file: HubFile): string | false =>
    folders.find((folder) => isThere(folder, file)) ?? false;
  for (;;) {
    const { files, unread, missing, choices } = chooseListed(listing, id, folderOf);
    for (const name of unread) readJsonObject(await placing.place(listing.files.get(name)!));
    if (unread.length > 0) continue;
    if (missing.length === 0) return files.map((name) => listing.files.get(name)!);
    throw new LlavaError("config", `${id.repository} on the hub has no ${missing.join(", ")}`, {
      hint: whatToName(id, listing, choices),
    });
  }
}

function whatToName(id: HubId, { files }: HubListing, choices: readonly string[]): string {
  if (choices.length > 0)
    return `Name one of ${choices.join(", ")}, or a part of its name: ${hubName({ ...id, part: choices[0]! })}`;
  const folders = modelFolders(files.keys());
  if (folders.length > 0)
    return `Its folders with models are ${folders.join(", ")}: ${hubName({ ...id, part: folders[0]! })}`;
  return "Choose a repository in the layout of transformers, PEFT or the original LLaVA.";
}
