import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheFolder, type Environment } from "./cache.ts";
import { findProgram } from "./command.ts";

export type LibtorchSource = "env" | "cache" | "python";

export interface Libtorch {
  /** The folder that has `lib/` and `include/`. */
  root: string;
  version: string;
  source: LibtorchSource;
  /** Present when this libtorch was built with CUDA; whether it loads depends on NVIDIA's libraries beside it. */
  cudaLibrary?: string;
}

/** A libtorch that was found but cannot be used, and why. */
export interface RejectedLibtorch {
  root: string;
  source: LibtorchSource;
  reason: string;
}

export interface LibtorchSearch {
  libtorch?: Libtorch;
  rejected: RejectedLibtorch[];
}

/** The release that `installLibtorch` fetches; the versions in native/requirements.txt belong to it. */
export const libtorchRelease = "2.15.0";
const oldestMinor = 11;
const newestMinor = 15;
const extension = process.platform === "darwin" ? "dylib" : "so";

export const libtorchCacheFolder = (env: Environment = process.env): string =>
  join(cacheFolder(env), `libtorch-${libtorchRelease}`);

/**
 * Looks for libtorch: `$LIBTORCH`, then the cache, then the `torch` package of the `python3` on the PATH. A
 * `$LIBTORCH` that cannot be used ends the search, since it was asked for by name.
 */
export function findLibtorch(env: Environment = process.env): LibtorchSearch {
  const rejected: RejectedLibtorch[] = [];
  const candidates: [LibtorchSource, () => string | undefined][] = [
    ["env", () => env.LIBTORCH || undefined],
    ["cache", () => existing(join(libtorchCacheFolder(env), "torch"))],
    ["python", () => pythonTorch(env)],
  ];
  for (const [source, locate] of candidates) {
    const root = locate();
    if (root === undefined) continue;
    const inspected = inspectLibtorch(root, source);
    if ("version" in inspected) return { libtorch: inspected, rejected };
    rejected.push(inspected);
    if (source === "env") break;
  }
  return { rejected };
}

/** Checks that a folder holds a complete libtorch of a supported version. */
export function inspectLibtorch(root: string, source: LibtorchSource): Libtorch | RejectedLibtorch {
  const reject = (reason: string): RejectedLibtorch => ({ root, source, reason });
  if (!existsSync(libraryPath(root, "torch_cpu"))) return reject(`no lib/libtorch_cpu.${extension} in it`);
  const version = readVersion(root);
  if (version === undefined) return reject("neither version.py nor build-version tells its version");
  const [major, minor] = version.split(".").map(Number);
  if (major !== 2 || minor === undefined || minor < oldestMinor || minor > newestMinor) {
    return reject(`version ${version}, and 2.${oldestMinor} to 2.${newestMinor} are supported`);
  }
  if (!existsSync(join(root, "include/ATen/core/dispatch/Dispatcher.h")))
    return reject("no C++ headers in include/");
  const cudaLibrary = existing(libraryPath(root, "torch_cuda"));
  return { root, version, source, ...(cudaLibrary && { cudaLibrary }) };
}

const libraryPath = (root: string, name: string): string => join(root, "lib", `lib${name}.${extension}`);

const existing = (path: string): string | undefined => (existsSync(path) ? path : undefined);

/** The torch package says its version in version.py, the C++ archive in build-version. */
function readVersion(root: string): string | undefined {
  const read = (name: string): string | undefined => {
    const path = join(root, name);
    return existsSync(path) ? readFileSync(path, "utf8") : undefined;
  };
  return read("version.py")?.match(/^__version__ = '([^']+)'/m)?.[1] ?? read("build-version")?.trim();
}

/** Asks Python where its torch is, without importing it: that alone would take seconds. */
function pythonTorch(env: Environment): string | undefined {
  const python = findProgram("python3", env);
  if (!python) return undefined;
  const script =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.origin if s and s.origin else '')";
  const { status, stdout } = spawnSync(python, ["-c", script], {
    env: { ...env },
    encoding: "utf8",
    timeout: 20_000,
  });
  const origin = status === 0 ? stdout.trim() : "";
  return origin ? dirname(origin) : undefined;
}
