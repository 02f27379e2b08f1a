import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { LlavaError } from "../errors.ts";
import { cacheFolder, type Environment } from "./cache.ts";
import { findProgram, runCommand } from "./command.ts";
import { ensureLibtorch } from "./install-libtorch.ts";
import type { Libtorch } from "./libtorch.ts";
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
  let stamp: Stamp;
  try {
    stamp = JSON.parse(readFileSync(stampPath(env, nativeFolder), "utf8"));
  } catch {
    return undefined;
  }
  const { addonPath, libtorch, sources } = stamp;
  const usable =
    existsSync(addonPath) && existsSync(join(libtorch.root, "lib")) && sources === hashSources(nativeFolder);
  return usable ? { addonPath, libtorch } : undefined;
}

/**
 * Finds or installs libtorch and builds the addon where that is still to be done.
 * @throws LlavaError "setup" when a build tool is missing or the compiler fails, "network" when a download does
 */
export async function ensureNative(options: EnsureNativeOptions = {}): Promise<Native> {
  const { env = process.env, nativeFolder = projectNative, report, signal } = options;
  const located = locateNative(env, nativeFolder);
  if (located) return located;
  const libtorch = await ensureLibtorch(options);
  const folder = join(nativeFolder, "build", buildName(libtorch));
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
    writeAtomically(stampPath(env, nativeFolder), `${JSON.stringify(stamp, null, 2)}\n`);
    return { addonPath, libtorch };
  };
  return withLock(join(nativeFolder, "build", ".lock"), build, {
    onWait: () => report?.("Another process is building the addon; waiting for it."),
    ...(signal && { signal }),
  });
}

async function compile(
  libtorch: Libtorch,
  folder: string,
  { env = process.env, nativeFolder = projectNative, signal }: EnsureNativeOptions,
): Promise<void> {
  const cmake = requireBuildTools(env);
  await mkdir(folder, { recursive: true });
  const log = join(folder, "build.log");
  rmSync(log, { force: true });
  const headers = fileURLToPath(new URL("include", import.meta.resolve("node-api-headers/package.json")));
  const generator = findProgram("ninja", env) ? ["-G", "Ninja"] : [];
  const steps = [
    [
      "-S",
      nativeFolder,
      "-B",
      folder,
      ...generator,
      `-DLIBTORCH_ROOT=${libtorch.root}`,
      `-DNODE_API_HEADERS=${headers}`,
    ],
    ["--build", folder, "--parallel"],
  ];
  for (const args of steps) {
    const { status, tail } = await runCommand(cmake, args, { env, log, ...(signal && { signal }) });
    if (status === 0) continue;
    const errors = tail.filter((line) => /error/i.test(line));
    const lines = (errors.length > 0 ? errors : tail).slice(-5);
    throw new LlavaError("setup", `the addon did not compile:\n${lines.join("\n")}`, {
      hint: `The whole output is in ${log}; libtorch's headers need a compiler with C++20 (g++ 11 or clang 14).`,
    });
  }
}

function requireBuildTools(env: Environment): string {
  const cmake = findProgram("cmake", env);
  const compiler = env.CXX || ["c++", "g++", "clang++"].find((name) => findProgram(name, env));
  const builder = ["ninja", "make"].find((name) => findProgram(name, env));
  if (cmake && compiler && builder) return cmake;
  const missing = [!cmake && "CMake", !compiler && "a C++ compiler", !builder && "ninja or make"].filter(
    Boolean,
  );
  throw new LlavaError("setup", `to build the addon, ${missing.join(" and ")} must be on the PATH`, {
    hint:
      process.platform === "darwin"
        ? "Install them: xcode-select --install, then brew install cmake ninja."
        : "Install them: apt-get install cmake g++ ninja-build.",
  });
}

/** Builds against different libtorch folders live side by side. */
function buildName({ root, version }: Libtorch): string {
  return `${version}-${process.platform}-${process.arch}-${sha256(root).slice(0, 8)}`;
}

/** What `findLibtorch` answers depends on these variables, so each of their values has a stamp of its own. */
function stampPath(env: Environment, nativeFolder: string): string {
  const request = sha256(`${env.LIBTORCH ?? ""}\n${cacheFolder(env)}`).slice(0, 8);
  return join(nativeFolder, "build", `stamp-${process.platform}-${process.arch}-${request}.json`);
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
