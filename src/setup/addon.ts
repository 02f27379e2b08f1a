import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { copyFile, rename, rm } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { sha256, withLock, writeAtomically } from "../files/index.ts";
import { packagePath } from "../package.ts";
import { requireBuildTools } from "./build-tools.ts";
import { cacheFolder, type Environment, makeCacheFolder } from "./cache.ts";
import { buildWithCmake } from "./cmake.ts";
import { ensureLibtorch } from "./install-libtorch.ts";
import { findLibtorch, inspectLibtorch, type Libtorch } from "./libtorch.ts";
import type { SetupOptions } from "./options.ts";
import { findPrebuilt, fits, loads, type Prebuilt } from "./prebuilt.ts";

/** What the tensor layer needs to load: the built addon and the libtorch it is linked to. */
export interface Native {
  addonPath: string;
  libtorch: Libtorch;
}

export interface EnsureNativeOptions extends SetupOptions {
  /** The folder with CMakeLists.txt and src/. */
  nativeFolder?: string;
  /** Whose addon is taken where it fits: that of the package beside this one when left out. */
  prebuilt?: Prebuilt | undefined;
}

const projectNative = packagePath("native");
/** Bytes that a build takes while it goes on: libtorch's headers are parsed once for all sources, and kept till its end. */
const BUILD_ROOM = 0.5e9;

/**
 * The addon, when it is built from the present sources and its libtorch is still there. Only reads a few files, so a
 * start costs milliseconds; anything else is for `ensureNative`.
 */
export function locateNative(
  env: Environment = process.env,
  nativeFolder = projectNative,
): Native | undefined {
  let stamp: Native;
  try {
    stamp = JSON.parse(readFileSync(stampPath(env, hashSources(nativeFolder)), "utf8"));
  } catch {
    return undefined;
  }
  const { addonPath, libtorch } = stamp;
  const present = inspectLibtorch(libtorch.root, libtorch.source);
  const isSame = "version" in present && present.version === libtorch.version;
  return isSame && existsSync(addonPath) ? { addonPath, libtorch } : undefined;
}

/**
 * Finds or installs libtorch and puts the addon for it into the cache where that is still to be done: the prebuilt one
 * where it fits and loads, else built here.
 * @throws LlavaError "setup" when a build tool is missing or the compiler fails, "network" when a download does
 */
export async function ensureNative(options: EnsureNativeOptions = {}): Promise<Native> {
  const { env = process.env, nativeFolder = projectNative, report, signal } = options;
  const located = locateNative(env, nativeFolder);
  if (located) return located;
  const sources = hashSources(nativeFolder);
  const prebuilt = "prebuilt" in options ? options.prebuilt : findPrebuilt();
  // What is missing is told before anything is downloaded, not after.
  if (!findLibtorch(env).libtorch && !fits(prebuilt, sources)) requireBuildTools(env);
  const libtorch = await ensureLibtorch(options);
  const folder = join(addonFolder(env), addonKey(libtorch, sources));
  const addonPath = join(folder, "llava.node");
  const make = async (): Promise<Native> => {
    if (!existsSync(addonPath)) {
      const usable = fits(prebuilt, sources, libtorch.version) ? prebuilt : undefined;
      if (!(usable && (await takePrebuilt(usable, libtorch, folder, options)))) {
        report?.(`Building the addon for libtorch ${libtorch.version} (about half a minute).`);
        await buildAddon({ libtorch, folder, source: nativeFolder, name: "llava" }, options);
      }
    }
    const native: Native = { addonPath, libtorch };
    writeAtomically(stampPath(env, sources), [`${JSON.stringify(native, null, 2)}\n`], { code: "setup" });
    return native;
  };
  makeCacheFolder(dirname(folder));
  return withLock(`${folder}.lock`, make, {
    onWait: (holder) => report?.(`Another process is building the addon; waiting: ${holder}.`),
    ...(signal && { signal }),
  });
}

/** Whether no compiler is needed for the addon: it is prebuilt for the libtorch that is here, or that will be fetched. */
export const isPrebuilt = (libtorch: Libtorch | undefined): boolean =>
  fits(findPrebuilt(), hashSources(projectNative), libtorch?.version);

/**
 * SHA-256 of what the addon is built from: native/ and Node-API's headers. Node itself is not among it, and one addon loads
 * in each that knows those headers.
 */
export function hashSources(nativeFolder = projectNative): string {
  const files = readdirSync(join(nativeFolder, "src"), { recursive: true, encoding: "utf8" });
  const sources = files.filter((name) => /\.(cc|h)$/.test(name));
  const hash = createHash("sha256").update(readFileSync(nodeApiHeaders("package.json")));
  for (const name of ["CMakeLists.txt", ...sources.sort().map((source) => join("src", source))]) {
    hash.update(`${name}\0`).update(readFileSync(join(nativeFolder, name)));
  }
  return hash.digest("hex");
}

/** Puts the prebuilt addon into its folder, unless it does not load here: the system may be older than the one it is for. */
async function takePrebuilt(
  prebuilt: Prebuilt,
  libtorch: Libtorch,
  folder: string,
  { env = process.env, report, signal }: EnsureNativeOptions,
): Promise<boolean> {
  const partial = begin(folder, libtorch);
  const addon = join(partial, "llava.node");
  await copyFile(prebuilt.addonPath, addon);
  const problem = await loads(addon, { env, ...(signal && { signal }) });
  if (problem !== undefined) {
    report?.(`The prebuilt addon does not load here: ${problem}`);
    return false;
  }
  await finish(partial, folder);
  return true;
}

/** What is built into a folder of its own, by the CMakeLists.txt in `source`. */
export interface AddonBuild {
  readonly libtorch: Libtorch;
  readonly folder: string;
  readonly source: string;
  /** Of the file, less ".node". */
  readonly name: string;
  /** More settings of CMake. */
  readonly settings?: readonly string[];
}

/** @throws LlavaError "setup" when a build tool is missing or the compiler fails */
export async function buildAddon(
  { libtorch, folder, source, name, settings = [] }: AddonBuild,
  { env = process.env, signal }: SetupOptions,
): Promise<void> {
  requireBuildTools(env);
  makeCacheFolder(dirname(folder), BUILD_ROOM);
  const partial = begin(folder, libtorch);
  const objects = join(partial, "build");
  mkdirSync(objects);
  const given = [
    `-DLIBTORCH_ROOT=${libtorch.root}`,
    `-DNODE_API_HEADERS=${nodeApiHeaders("include")}`,
    ...settings,
  ];
  try {
    const build = { source, objects, log: `${folder}.build.log`, settings: given };
    await buildWithCmake(build, { env, ...(signal && { signal }) });
    await rename(join(objects, `${name}.node`), join(partial, `${name}.node`));
  } finally {
    await rm(objects, { recursive: true, force: true });
  }
  await finish(partial, folder);
}

/** An empty folder beside the final one, with a link to libtorch, where the addon looks for it. */
function begin(folder: string, libtorch: Libtorch): string {
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  symlinkSync(resolve(libtorch.root), join(partial, "torch"));
  return partial;
}

async function finish(partial: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
}

const nodeApiHeaders = (name: string): string =>
  fileURLToPath(new URL(name, import.meta.resolve("node-api-headers/package.json")));

const addonFolder = (env: Environment): string => join(cacheFolder(env), "addon");

/** Addons for other libtorch folders and sources lie side by side; none is taken for another. */
function addonKey({ root, version }: Libtorch, sources: string): string {
  const of = `${version}-${process.platform}-${process.arch}`;
  return `${of}-${sources.slice(0, 8)}-${sha256(resolve(root)).slice(0, 8)}`;
}

/** Where it is written which addon a start takes. `findLibtorch` answers by LIBTORCH, so each value has its own. */
function stampPath(env: Environment, sources: string): string {
  const asked = [env.LIBTORCH ?? "", sources, process.platform, process.arch];
  return join(addonFolder(env), `stamp-${sha256(asked.join("\n")).slice(0, 16)}.json`);
}
