import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../cache.ts";

/** Where Python's hub client and its command line keep what they know, by the variables that they go by. */
const home = (env: Environment): string =>
  expanded(env.HF_HOME, env) || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");

/** The cache of Python's hub client. */
export const hubCache = (env: Environment): string =>
  expanded(env.HF_HUB_CACHE || env["HUGGINGFACE_HUB_CACHE"], env) || join(home(env), "hub");

/** A path with a leading ~ and with the variables that it names. */
const expanded = (path: string | undefined, env: Environment): string | undefined =>
  path
    ?.replace(/^~(?=\/|$)/, homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, plain, braced) => env[plain ?? braced] ?? whole);

/** The user's token, and where it is from: `HF_TOKEN`, or the file that `hf auth login` writes. */
export function hubToken(env: Environment): { token: string; source: string } | undefined {
  for (const source of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const token = env[source]?.trim();
    if (token) return { token, source };
  }
  if (isOn(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return undefined;
  const source = expanded(env.HF_TOKEN_PATH, env) || join(home(env), "token");
  try {
    const token = readFileSync(source, "utf8").trim();
    return token ? { token, source } : undefined;
  } catch {
    return undefined;
  }
}

/** The variable that keeps from the hub, where one is set. */
export function offlineVariable(env: Environment): string | undefined {
  return ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"].find((name) => isOn(env[name]));
}

/** Whether a variable says yes, as Python's client reads it. */
export const isOn = (value: string | undefined): boolean => /^(?:1|on|yes|true)$/i.test(value ?? "");
