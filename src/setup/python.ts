import { LlavaError } from "../errors.ts";
import type { Environment } from "./cache.ts";
import { findProgram, runCommand } from "./command.ts";

/** A Python whose pip can fetch the pinned wheels. */
export interface Python {
  path: string;
  version: string;
  pip: string;
}

/** A Python that was looked at and cannot be used, and why. */
export interface RejectedPython {
  path: string;
  reason: string;
  remedy: string;
}

/** Older ones come with pips that cannot be told for which Python a wheel is. */
const oldestPython = [3, 8] as const;
/** The first that knows the platforms that libtorch's wheels are for (manylinux_2_28). */
const oldestPip = [20, 3] as const;
const newestMinor = 16;

const installPython =
  process.platform === "darwin" ? "brew install python" : "apt-get install python3 python3-pip";

const names = [
  "python3",
  "python",
  ...Array.from({ length: newestMinor - oldestPython[1] + 1 }, (_, at) => `python3.${newestMinor - at}`),
];

/** The first Python on the PATH that will do, `python3` before those with a version in their name. */
export async function findPython(
  env: Environment = process.env,
  signal?: AbortSignal,
): Promise<{ python?: Python; rejected: RejectedPython[] }> {
  const rejected: RejectedPython[] = [];
  for (const name of names) {
    const path = findProgram(name, env);
    if (path === undefined) continue;
    const looked = await look(path, env, signal);
    if ("version" in looked) return { python: looked, rejected };
    rejected.push(looked);
  }
  return { rejected };
}

/** @throws LlavaError "setup" that says what the Pythons of this machine lack */
export async function requirePython(env: Environment, signal?: AbortSignal): Promise<Python> {
  const { python, rejected } = await findPython(env, signal);
  if (python) return python;
  const { what, remedy } = whyNoPython(rejected);
  throw new LlavaError("setup", what, { hint: remedy });
}

/** In words for the user, when none of the Pythons that were found will do. */
export function whyNoPython(rejected: readonly RejectedPython[]): { what: string; remedy: string } {
  const needed = `Python ${oldestPython.join(".")} or newer with pip is needed on the PATH to fetch libtorch and model files`;
  const [first] = rejected;
  if (!first) return { what: `${needed}, and there is none`, remedy: `Install it: ${installPython}.` };
  return { what: `${needed}: ${first.path} ${first.reason}`, remedy: first.remedy };
}

const script =
  "import sys; print('python ' + '.'.join(map(str, sys.version_info[:3]))); import pip; print('pip ' + pip.__version__)";

async function look(
  path: string,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<Python | RejectedPython> {
  const { status, tail } = await runCommand(path, ["-c", script], { env, ...(signal && { signal }) });
  const said = (word: string): string | undefined =>
    tail.findLast((line) => line.startsWith(`${word} `))?.slice(word.length + 1);
  const version = said("python");
  if (version === undefined)
    return {
      path,
      reason: `does not run (status ${status}${tail.length > 0 ? `: ${tail.at(-1)}` : ""})`,
      remedy: `Repair it, or install another: ${installPython}.`,
    };
  if (isOlder(version, oldestPython))
    return {
      path,
      reason: `is ${version}`,
      remedy: `Put a newer one on the PATH, before it or under its full name such as python3.12; or ${installPython}.`,
    };
  const pip = said("pip");
  if (pip === undefined)
    return {
      path,
      reason: `is ${version}, but has no pip`,
      remedy: `Install it: apt-get install python3-pip, or ${path} -m ensurepip.`,
    };
  if (isOlder(pip, oldestPip))
    return {
      path,
      reason: `is ${version}, but its pip ${pip} is older than ${oldestPip.join(".")}`,
      remedy: `Run: ${path} -m pip install --upgrade pip`,
    };
  return { path, version, pip };
}

function isOlder(version: string, [major, minor]: readonly [number, number]): boolean {
  const [hasMajor = 0, hasMinor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return hasMajor < major || (hasMajor === major && hasMinor < minor);
}
