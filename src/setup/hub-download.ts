import { copyFile, link, mkdir, readFile, realpath, rename, rm, symlink } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { fileSha256, type JsonObject, parseJsonObject, withLock, writeAtomically } from "../files/index.ts";
import { makeCacheFolder } from "./cache.ts";
import { downloadFile } from "./download.ts";
import {
  describedPlaces,
  type HubId,
  type HubPlaces,
  type HubRecord,
  hubPlaces,
  recordedFolder,
  sizeOf,
} from "./hub.ts";
import { findHubFile } from "./hub-account.ts";
import {
  type HubFile,
  type HubListing,
  hubEndpoint,
  hubHeaders,
  listRepository,
  refusalHint,
} from "./hub-listing.ts";
import type { ResolveOptions } from "./options.ts";
import { type Progress, silentProgress } from "./progress.ts";
import { repositoryFiles } from "./repository.ts";

/**
 * Makes sure that all of a model's files are here, or all but its weights where those are not asked for, and returns their folder: the snapshot of Python's hub client when it
 * lacks nothing, else a folder of this project's. What is in either, or was left by an interrupted run, is not downloaded
 * again.
 * @throws LlavaError "config" when the hub has no such model, "setup" or "network" for anything else that fails
 */
export async function downloadHubModel(id: HubId, options: ResolveOptions = {}): Promise<string> {
  const { report, signal } = options;
  const { own } = placesOf(id, options);
  makeCacheFolder(dirname(own));
  return withLock(`${own}.lock`, () => complete(id, options), {
    onWait: (holder) => report?.(`Another process is downloading this model; waiting: ${holder}.`),
    ...(signal && { signal }),
  });
}

function placesOf(id: HubId, { env = process.env, weights = true }: ResolveOptions): HubPlaces {
  const places = hubPlaces(id, env);
  return weights ? places : describedPlaces(places);
}

async function complete(id: HubId, options: ResolveOptions): Promise<string> {
  const { env = process.env, weights = true, progress = silentProgress, report, signal } = options;
  const places = placesOf(id, options);
  const { own, record, snapshot } = places;
  const recorded = recordedFolder(places);
  if (recorded) return recorded;
  const listing = await listOf(id, snapshot?.commit, options);
  const partial = `${own}.partial`;
  const folders = [partial, own, ...(snapshot ? [snapshot.folder] : [])];
  const isThere = (folder: string, { name, bytes }: HubFile): boolean => {
    const size = sizeOf(join(folder, name));
    return size !== undefined && (bytes === 0 || size === bytes);
  };

  let bar: Progress | undefined;
  let before = 0;
  /** Puts a file into `partial`, from another folder of this machine or from the hub. */
  const place = async (file: HubFile): Promise<void> => {
    const path = join(partial, file.name);
    if (isThere(partial, file)) return;
    await mkdir(dirname(path), { recursive: true });
    for (const folder of folders.slice(1))
      if (isThere(folder, file) && (await isWhole(join(folder, file.name), file)))
        return await linkTo(join(folder, file.name), path, file.sha256 !== undefined);
    const blob = file.sha256 && findHubFile(file.sha256, env);
    if (blob && sizeOf(blob) === file.bytes) return await linkTo(blob, path, true);
    const address = file.name.split("/").map(encodeURIComponent).join("/");
    await downloadFile(`${hubEndpoint(env)}/${id.repository}/resolve/${listing.commit}/${address}`, path, {
      bytes: file.bytes,
      ...(file.sha256 && { sha256: file.sha256 }),
      headers: hubHeaders(env),
      refusal: (status) => refusalHint(status, env),
      env,
      onBytes: (received) => bar?.update(before + received, file.name),
      ...(signal && { signal }),
    });
  };

  const read = async (name: string): Promise<JsonObject> => {
    const file = listing.files.get(name)!;
    let folder = folders.slice(1).find((candidate) => isThere(candidate, file));
    if (!folder) await place(file);
    folder ??= partial;
    return parseJsonObject(await readFile(join(folder, name)), join(folder, name));
  };
  const isHere = (file: HubFile): boolean => folders.some((folder) => isThere(folder, file));
  const wanted = await chooseFiles(id, listing, read, { isHere, weights });

  const keep = async (folder: string): Promise<string> => {
    const files = Object.fromEntries(wanted.map(({ name, bytes, sha256 }) => [name, sha256 ? bytes : null]));
    const content: HubRecord = { ...(folder !== own && { snapshot: snapshot!.commit }), files };
    writeAtomically(record, [`${JSON.stringify(content, null, 2)}\n`], { code: "setup" });
    return folder;
  };
  if (snapshot && wanted.every((file) => isThere(snapshot.folder, file))) {
    await rm(partial, { recursive: true, force: true });
    return await keep(snapshot.folder);
  }

  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  const here = wanted.filter(isHere);
  makeCacheFolder(partial, total - here.reduce((sum, { bytes }) => sum + bytes, 0));
  report?.(`${here.length === 0 ? "Downloading" : "Completing"} ${id.repository} into ${own}.`);
  bar = progress({ label: id.repository, total, unit: "bytes" });
  try {
    for (const file of wanted) {
      await place(file);
      before += file.bytes;
      bar.update(before);
    }
  } finally {
    bar.stop();
  }
  await rm(own, { recursive: true, force: true });
  await rename(partial, own);
  return await keep(own);
}

/** What Python's client has is a commit's; where the hub no longer shows that one, the revision itself is asked for. */
async function listOf(id: HubId, commit: string | undefined, options: ResolveOptions): Promise<HubListing> {
  const { env = process.env, signal } = options;
  try {
    return await listRepository(id.repository, commit ?? id.revision, env, signal);
  } catch (error) {
    const isUnknown = error instanceof LlavaError && error.code === "config";
    if (!isUnknown || commit === undefined || commit === id.revision) throw error;
    return await listRepository(id.repository, id.revision, env, signal);
  }
}

async function chooseFiles(
  { repository }: HubId,
  { files }: HubListing,
  read: (name: string) => Promise<JsonObject>,
  { isHere, weights }: { readonly isHere: (file: HubFile) => boolean; readonly weights: boolean },
): Promise<HubFile[]> {
  const contents = new Map<string, JsonObject>();
  for (;;) {
    const isFileHere = (name: string): boolean => {
      const file = files.get(name);
      return file !== undefined && isHere(file);
    };
    const chosen = repositoryFiles(new Set(files.keys()), contents, isFileHere, weights);
    if (chosen.unread.length === 0) {
      if (chosen.missing.length === 0) return chosen.files.map((name) => files.get(name)!);
      throw new LlavaError("config", `${repository} on the hub has no ${chosen.missing.join(", ")}`, {
        hint: "Choose a repository in the layout of transformers, PEFT or the original LLaVA.",
      });
    }
    for (const name of chosen.unread) contents.set(name, await read(name));
  }
}

/** Python's client names large files by their hashes; any other file is read. */
async function isWhole(path: string, { sha256 }: HubFile): Promise<boolean> {
  if (sha256 === undefined || basename(await realpath(path)) === sha256) return true;
  return (await fileSha256(path)) === sha256;
}

/** A second name for a large file; another file system can only be pointed to. Small ones are copied: they may be edited. */
async function linkTo(existing: string, path: string, isLarge: boolean): Promise<void> {
  const target = await realpath(existing);
  await rm(path, { force: true });
  if (!isLarge) return await copyFile(target, path);
  await link(target, path).catch(() => symlink(target, path));
}
