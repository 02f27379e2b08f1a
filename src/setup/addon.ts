import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { requireBuildTools } from "./build-tools.ts";
import { cacheFolder, type Environment, whyUnwritable } from "./cache.ts";
import { runCommand } from "./command.ts";
import { buildFailure } from "./failure-causes.ts";
import { ensureLibtorch } from "./install-libtorch.ts";
import { findLibtorch, type Libtorch } from "./libtorch.ts";
import { withLock } from "./lock.ts";
import type { SetupOptions } from "./options.ts";

/** What the tensor layer needs to load: the built addon and the libtorch it is linked to. */
export interface Native {
  addonPath: string;
  libtorch: Libtorch;
}

export interface EnsureNativeOptions extends SetupOptions {
  /** The folder with CMakeLists.txt and src/; builds go to its build/. */
  nativeFolder?: string;
}

/** Written after a successful build, so that the next start needs no search. */
interface Stamp extends Native {
  sources: string;
}

const projectNative = fileURLToPath(new URL("../../native", import.meta.url));

/**
 * The addon, when it is built from the present sources and its libtorch is still there. Only reads a few files, so a
 * start costs milliseconds; anything else is for `ensureNative`.
 */
export function locateNative(
  env: Environment = process.env,
  nativeFolder = projectNative,
): Native | undefined {
  for (const builds of buildFolders(env, nativeFolder)) {
    let stamp: Stamp;
    try {
      stamp = JSON.parse(readFileSync(stampPath(env, builds), "utf8"));
    } catch {
      continue;
    }
    const { addonPath, libtorch, sources } = stamp;
    const usable = existsSync(addonPath) && existsSync(join(libtorch.root, "lib"));
    if (usable && sources === hashSources(nativeFolder)) return { addonPath, libtorch };
  }
  return undefined;
}

/**
 * Finds or installs libtorch and builds the addon where that is still to be done.
 * @throws LlavaError "setup" when a build tool is missing or the compiler fails, "network" when a download does
 */
export async function ensureNative(options: EnsureNativeOptions = {}): Promise<Native> {
  const { env = process.env, nativeFolder = projectNative, report, signal } = options;
  const located = locateNative(env, nativeFolder);
  if (located) return located;
  // What is missing is told before anything is downloaded, not after.
  if (!findLibtorch(env).libtorch) requireBuildTools(env);
  const libtorch = await ensureLibtorch(options);
  const [beside, inCache] = buildFolders(env, nativeFolder);
  const builds = whyUnwritable(beside) === undefined ? beside : inCache;
  const folder = join(builds, buildName(libtorch));
  const addonPath = join(folder, "llava.node");
  const build = async (): Promise<Native> => {
    const sources = hashSources(nativeFolder);
    const recorded = join(folder, "sources.sha256");
    if (!existsSync(addonPath) || !existsSync(recorded) || readFileSync(recorded, "utf8") !== sources) {
      report?.(`Building the addon for libtorch ${libtorch.version} (about half a minute).`);
      await compile(libtorch, folder, options);
      writeAtomically(recorded, sources);
    }
    const stamp: Stamp = { addonPath, libtorch, sources };
    writeAtomically(stampPath(env, builds), `${JSON.stringify(stamp, null, 2)}\n`);
    return { addonPath, libtorch };
  };
  return withLock(join(builds, ".lock"), build, {
    onWait: (holder) => report?.(`Another process is building the addon; waiting: ${holder}.`),
    ...(signal && { signal }),
  });
}

async function compile(
  libtorch: Libtorch,
  folder: string,
  { env = process.env, nativeFolder = projectNative, signal }: EnsureNativeOptions,
): Promise<void> {
  const { cmake, ninja } = requireBuildTools(env);
  const log = join(folder, "build.log");
  // A build that was cut may have left halves of files that make takes for whole ones.
  const unfinished = join(folder, "unfinished");
  const begin = (): void => {
    if (existsSync(unfinished)) rmSync(folder, { recursive: true });
    mkdirSync(folder, { recursive: true });
    writeFileSync(unfinished, "");
    rmSync(log, { force: true });
  };
  const run = (...args: string[]) => runCommand(cmake, args, { env, log, ...(signal && { signal }) });
  const headers = fileURLToPath(new URL("include", import.meta.resolve("node-api-headers/package.json")));
  const configure = () =>
    run(
      "-S",
      nativeFolder,
      "-B",
      folder,
      "-G",
      ninja ? "Ninja" : "Unix Makefiles",
      `-DLIBTORCH_ROOT=${libtorch.root}`,
      `-DNODE_API_HEADERS=${headers}`,
    );
  begin();
  let result = await configure();
  if (result.status !== 0) {
    // The folder may have been configured with tools that have gone, or for sources that have moved.
    begin();
    result = await configure();
  }
  if (result.status === 0) result = await run("--build", folder, "--parallel");
  rmSync(unfinished, { force: true });
  if (result.status !== 0) throw buildFailure(result.tail, log);
}

/** Where builds may be: beside the sources, or in the cache where those cannot be written. */
function buildFolders(env: Environment, nativeFolder: string): [beside: string, inCache: string] {
  return [join(nativeFolder, "build"), join(cacheFolder(env), "addon", sha256(nativeFolder).slice(0, 8))];
}

/** Builds against different libtorch folders live side by side. */
function buildName({ root, version }: Libtorch): string {
  return `${version}-${process.platform}-${process.arch}-${sha256(root).slice(0, 8)}`;
}

/** What `findLibtorch` answers depends on these variables, so each of their values has a stamp of its own. */
function stampPath(env: Environment, builds: string): string {
  const request = sha256(`${env.LIBTORCH ?? ""}\n${cacheFolder(env)}`).slice(0, 8);
  return join(builds, `stamp-${process.platform}-${process.arch}-${request}.json`);
}

function hashSources(nativeFolder: string): string {
  const sources = readdirSync(join(nativeFolder, "src")).filter((name) => /\.(cc|h)$/.test(name));
  const hash = createHash("sha256");
  for (const name of ["CMakeLists.txt", ...sources.sort().map((source) => join("src", source))]) {
    hash.update(`${name}\0`).update(readFileSync(join(nativeFolder, name)));
  }
  return hash.digest("hex");
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

function writeAtomically(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, content);
  renameSync(temporary, path);
}
