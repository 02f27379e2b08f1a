import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../errors.ts";
import { findLibtorch, inspectLibtorch, type Libtorch, libtorchCacheFolder } from "./libtorch.ts";
import { withLock } from "./lock.ts";
import type { SetupOptions } from "./options.ts";
import { runPip } from "./pip.ts";
import { silentProgress } from "./progress.ts";

/** Any CPython's wheel will do, since only its C++ part is used; the requirements pin the one of this version. */
const wheelPython = "3.13";
const requirements = fileURLToPath(new URL("../../native/requirements.txt", import.meta.url));

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
  return withLock(`${folder}.lock`, () => installLibtorch(folder, options), {
    onWait: () => report?.("Another process is installing libtorch; waiting for it."),
    ...(signal && { signal }),
  });
}

/** pip installs into a folder beside the final one, which then takes its name in one step. */
async function installLibtorch(
  folder: string,
  { env = process.env, progress = silentProgress, report, signal }: SetupOptions,
): Promise<Libtorch> {
  const present = inspectLibtorch(join(folder, "torch"), "cache");
  if ("version" in present) return present;
  report?.(`Installing libtorch into ${folder} (0.55 GB to download, 1.2 GB on disk).`);
  const staging = `${folder}.${process.pid}.tmp`;
  const temporary = join(staging, "tmp");
  const target = join(staging, "site");
  try {
    await mkdir(temporary, { recursive: true });
    const args = [
      "install",
      "--no-deps",
      "--no-compile",
      "--only-binary=:all:",
      "--python-version",
      wheelPython,
    ];
    await runPip([...args, "--target", target, "--require-hashes", "-r", requirements], {
      progress,
      temporary,
      log: join(dirname(folder), "logs", "libtorch.log"),
      env,
      ...(signal && { signal }),
    });
    if (existsSync(folder)) await rm(folder, { recursive: true });
    await rename(target, folder);
  } finally {
    await rm(staging, { recursive: true, force: true });
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
