import { LlavaError } from "../errors.ts";
import type { Environment } from "./cache.ts";

/** A pattern in a program's output, the error's code, the cause in words and its remedy. */
type Cause = readonly [RegExp, "setup" | "network", string, string];

const diskFull: Cause = [
  /No space left on device|Errno 28\b|Disk quota exceeded|Errno 122\b/i,
  "setup",
  "the disk is full",
  "Free some, or set LLAVA_HOME to a folder on a larger disk.",
];

/** The first that matches pip's output is why it failed. */
const pipCauses: readonly Cause[] = [
  diskFull,
  [
    /MemoryError/,
    "setup",
    "pip ran out of memory",
    "Free some memory, or upgrade pip: newer ones write downloads as they come.",
  ],
  [
    /THESE PACKAGES DO NOT MATCH THE HASHES|Hashes? (?:are required|mismatch)/i,
    "network",
    "the package index serves another file than the one pinned",
    "Let pip use another index (pip config list shows what it uses); nothing was kept.",
  ],
  [
    /CERTIFICATE_VERIFY_FAILED|SSLError|SSL module is not available/i,
    "network",
    "the package index's certificate is not accepted",
    "Tell pip of the certificates of your network: PIP_CERT, or pip config set global.cert FILE.",
  ],
  [
    /ProxyError|Cannot connect to proxy|Tunnel connection failed/i,
    "network",
    "the proxy cannot be used",
    "Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY, and pip's own proxy setting (pip config list).",
  ],
  [
    /\b40[137] (?:Client Error|Unauthorized|Forbidden|Proxy Authentication)|User for \S+:/,
    "network",
    "the package index asks for credentials",
    "Give them in pip's index-url (pip config list shows the one in use).",
  ],
  [
    /NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|Max retries exceeded|Temporary failure in name resolution|Name or service not known|Connection (?:refused|reset|broken|aborted)|Network is unreachable|IncompleteRead|RemoteDisconnected/i,
    "network",
    "the package index cannot be reached",
    "Check the connection, or the proxy (HTTPS_PROXY).",
  ],
  [
    /requires a different Python|Requires-Python|requires Python/i,
    "setup",
    "pip holds the package to the running Python",
    "Put a newer Python on the PATH.",
  ],
  [
    /Permission denied|Errno 13\b|Read-only file system|Errno 30\b/i,
    "setup",
    "the cache cannot be written",
    "Make it writable, or set LLAVA_HOME to a folder that is.",
  ],
  [
    /\(from versions: (?:none)?\)/,
    "network",
    "the package index cannot be reached, or does not hold the package",
    "Check the connection and the proxy (HTTPS_PROXY), and which index pip uses (pip config list).",
  ],
  [
    /not a supported wheel|No matching distribution found|Could not find a version/i,
    "network",
    "the package index has no such file for this machine",
    "Check which index pip uses (pip config list) and whether it holds the package; or upgrade pip.",
  ],
];

/** The error for a pip that ended with `status`, whose last lines are `tail`. */
export function pipFailure(
  status: number,
  tail: readonly string[],
  log: string,
  env: Environment = process.env,
): LlavaError {
  const whole = `The whole output is in ${log}.`;
  if (status === 137 || status === 143)
    return new LlavaError("setup", "pip was killed", {
      hint: `Memory may have run out; run the command again. ${whole}`,
    });
  const words = tail.findLast((line) => /error/i.test(line)) ?? tail.at(-1) ?? `status ${status}`;
  const output = tail.join("\n");
  const found = pipCauses.find(([pattern]) => pattern.test(output));
  if (!found)
    return new LlavaError("network", `pip failed: ${words.trim()}`, { hint: `Run it again. ${whole}` });
  const [, code, cause, remedy] = found;
  const indexless = /no such file|cannot be reached/.test(cause) && env["PIP_NO_INDEX"];
  return new LlavaError(
    code,
    `pip failed: ${indexless ? "PIP_NO_INDEX keeps pip from the package index" : cause}: ${words.trim()}`,
    {
      hint: `${indexless ? "Unset it." : remedy} ${whole}`,
    },
  );
}

const buildCauses: readonly Cause[] = [
  diskFull,
  [
    /CMake [\d.]+ or higher is required/,
    "setup",
    "CMake is too old",
    "Install a newer one: its own packages, or pip install cmake.",
  ],
  [
    /Killed|killed signal|signal terminated program|virtual memory exhausted|out of memory/i,
    "setup",
    "the compiler was killed, most likely for want of memory",
    "Free about 2 GB of memory, or set CMAKE_BUILD_PARALLEL_LEVEL=1.",
  ],
  [
    /C\+\+20|CXX20|unrecognized command.line option.*-std|invalid value 'c\+\+20'/i,
    "setup",
    "the compiler knows no C++20",
    "Install g++ 11 or clang 14, or name one by CXX.",
  ],
  [
    /No CMAKE_CXX_COMPILER could be found|is not able to compile a simple test program|CMAKE_CXX_COMPILER.*not (?:found|set)/,
    "setup",
    "the C++ compiler does not work",
    "Install g++ 11 or clang 14 with their standard library, or name one by CXX.",
  ],
  [
    /Permission denied|Read-only file system/i,
    "setup",
    "the build folder cannot be written",
    "Make it writable.",
  ],
];

/** The error for a build whose last lines are `tail`, by its cause; the errors themselves where it is none of the usual. */
export function buildFailure(tail: readonly string[], log: string): LlavaError {
  const errors = tail.filter((line) => /error|required/i.test(line));
  const lines = (errors.length > 0 ? errors : tail).slice(-5).join("\n");
  const found = buildCauses.find(([pattern]) => pattern.test(tail.join("\n")));
  const [, code, cause, remedy] = found ?? [null, "setup" as const, "", compilerNeeded];
  return new LlavaError(code, `the addon did not compile${cause && `, ${cause}`}:\n${lines}`, {
    hint: `${remedy} The whole output is in ${log}.`,
  });
}

const compilerNeeded = "libtorch's headers need a compiler with C++20 (g++ 11 or clang 14).";
