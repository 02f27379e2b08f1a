import { spawnSync } from "node:child_process";
import { LlavaError } from "../errors.ts";
import type { Environment } from "./cache.ts";
import { findProgram } from "./command.ts";

/** What builds the addon; undefined where it is not on the PATH. */
export interface BuildTools {
  cmake: string | undefined;
  /** A C++ compiler: that of CXX, else the first of the usual names. */
  compiler: string | undefined;
  ninja: string | undefined;
  make: string | undefined;
}

/** The oldest that native/CMakeLists.txt works with. */
const oldestCmake = [3, 18] as const;

export function findBuildTools(env: Environment = process.env): BuildTools {
  const find = (...names: string[]): string | undefined =>
    names.map((name) => findProgram(name, env)).find((path) => path !== undefined);
  // CXX may carry options, or name a compiler by its path.
  const wanted = env.CXX?.trim().split(/\s+/)[0];
  return {
    cmake: find("cmake"),
    compiler: wanted ? find(wanted) : find("c++", "g++", "clang++"),
    ninja: find("ninja"),
    make: find("make", "gmake"),
  };
}

/** What a program says of its version; "" when it says none. */
export function programVersion(path: string): string {
  const { stdout = "" } = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 20_000 });
  return stdout.match(/\d+(?:\.\d+)+/)?.[0] ?? "";
}

function whyCmakeIsOld(cmake: string): string | undefined {
  const version = programVersion(cmake);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const isOld = major < oldestCmake[0] || (major === oldestCmake[0] && minor < oldestCmake[1]);
  return version !== "" && isOld
    ? `CMake ${oldestCmake.join(".")} or newer (${cmake} is ${version})`
    : undefined;
}

/** Which tools there are none of, and how to install them; undefined when nothing is missing. */
export function missingBuildTools(tools: BuildTools): { what: string; remedy: string } | undefined {
  const { cmake, compiler, ninja, make } = tools;
  const missing = [
    cmake ? (whyCmakeIsOld(cmake) ?? false) : "CMake",
    !compiler && "a C++ compiler",
    !(ninja || make) && "ninja or make",
  ].filter((name) => name !== false);
  if (missing.length === 0) return undefined;
  return {
    what: `to build the addon, ${missing.join(" and ")} must be on the PATH`,
    remedy:
      process.platform === "darwin"
        ? "Install them: xcode-select --install, then brew install cmake ninja."
        : "Install them: apt-get install cmake g++ ninja-build (C++20 needs g++ 11 or clang 14).",
  };
}

/** @throws LlavaError "setup" that names what is missing */
export function requireBuildTools(env: Environment): BuildTools & { cmake: string } {
  const tools = findBuildTools(env);
  const missing = missingBuildTools(tools);
  if (missing) throw new LlavaError("setup", missing.what, { hint: missing.remedy });
  return { ...tools, cmake: tools.cmake! };
}
