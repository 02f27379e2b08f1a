import { rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { extractZip, unzippedBytes, withLock } from "../files/index.ts";
import { packagePath } from "../package.ts";
import { makeCacheFolder } from "./cache.ts";
import { findLibtorch, inspectLibtorch, type Libtorch, libtorchCacheFolder } from "./libtorch.ts";
import type { SetupOptions } from "./options.ts";
import { silentProgress } from "./progress.ts";
import { fetchWheel, keptBytes, readPins, removeWheel } from "./wheels.ts";

/** Of the pinned wheels, and unpacked. */
export const bytesToFetch = 0.56e9;
export const bytesOnDisk = 1.2e9;
const oldestGlibc = [2, 28] as const;
const requirements = packagePath("native/requirements.txt");

/**
 * Finds libtorch, or installs the pinned release into the cache.
 * @throws LlavaError "setup" or "network"
 */
export async function ensureLibtorch(options: SetupOptions = {}): Promise<Libtorch> {
  const { env = process.env, report, signal } = options;
  const { libtorch, rejected } = findLibtorch(env);
  if (libtorch) return libtorch;
  const named = rejected.find(({ source }) => source === "env");
  if (named) {
    throw new LlavaError("setup", `LIBTORCH=${named.root} cannot be used: ${named.reason}`, {
      hint: "Point LIBTORCH to a libtorch or torch package folder with lib/ and include/, or unset it.",
    });
  }
  const folder = libtorchCacheFolder(env);
  makeCacheFolder(dirname(folder));
  return withLock(`${folder}.lock`, () => installLibtorch(folder, options), {
    onWait: (holder) => report?.(`Another process is installing libtorch; waiting: ${holder}.`),
    ...(signal && { signal }),
  });
}

/** The wheels are unpacked into a folder beside the final one, which then takes its name in one step. */
async function installLibtorch(
  folder: string,
  { env = process.env, progress = silentProgress, report, signal }: SetupOptions,
): Promise<Libtorch> {
  const present = inspectLibtorch(join(folder, "torch"), "cache");
  if ("version" in present) return present;
  const unfit = whyNoWheel();
  if (unfit) throw new LlavaError("setup", unfit.what, { hint: unfit.remedy });
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  report?.(`Installing libtorch into ${folder} (0.55 GB to download, 1.2 GB on disk).`);
  const options = { env, progress, ...(signal && { signal }) };
  makeCacheFolder(dirname(folder), Math.max(0, bytesToFetch - (await keptBytes(env))) + bytesOnDisk);
  try {
    const wheels: string[] = [];
    for (const wheel of await readPins(requirements)) wheels.push(await fetchWheel(wheel, options));
    for (const wheel of wheels) {
      const bar = progress({ label: "unpacking", total: unzippedBytes(wheel), unit: "bytes" });
      try {
        await extractZip(wheel, partial, {
          onBytes: (written) => bar.update(written),
          ...(signal && { signal }),
        });
      } finally {
        bar.stop();
      }
    }
    await rm(folder, { recursive: true, force: true });
    await rename(partial, folder);
    for (const wheel of wheels) await removeWheel(wheel);
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
  const installed = inspectLibtorch(join(folder, "torch"), "cache");
  if ("version" in installed) return installed;
  throw new LlavaError(
    "setup",
    `the libtorch installed in ${installed.root} cannot be used: ${installed.reason}`,
    {
      hint: `Remove ${folder} and run "llava setup" again.`,
    },
  );
}

/**
 * Why the pinned wheels cannot run on this system. Linux's are built for a glibc (manylinux_2_28), and pip does not look
 * when it downloads for another Python.
 */
export function whyNoWheel(): { what: string; remedy: string } | undefined {
  if (process.platform !== "linux") return undefined;
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const [major = 0, minor = 0] = (header.glibcVersionRuntime ?? "").split(".").map(Number);
  if (major > oldestGlibc[0] || (major === oldestGlibc[0] && minor >= oldestGlibc[1])) return undefined;
  const found = header.glibcVersionRuntime
    ? `glibc ${header.glibcVersionRuntime}`
    : "another C library, such as musl";
  return {
    what: `libtorch needs glibc ${oldestGlibc.join(".")} or newer, and this system has ${found}`,
    remedy: "Use a newer Linux, or point LIBTORCH to a libtorch that was built for this one.",
  };
}
