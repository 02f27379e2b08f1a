import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Environment } from "../cache.ts";

/** Where Python's hub client and its command line keep what they know, by the variables that they go by. */
const home = (env: Environment): string =>
  atHome(env.HF_HOME) || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");

/** The cache of Python's hub client. */
export const hubCache = (env: Environment): string =>
  atHome(env.HF_HUB_CACHE || env["HUGGINGFACE_HUB_CACHE"]) || join(home(env), "hub");

const atHome = (path: string | undefined): string | undefined => path?.replace(/^~(?=\/|$)/, homedir());

/** The user's token, and where it is from: `HF_TOKEN`, or the file that `hf auth login` writes. */
export function hubToken(env: Environment): { token: string; source: string } | undefined {
  for (const source of ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"]) {
    const token = env[source]?.trim();
    if (token) return { token, source };
  }
  if (isOn(env["HF_HUB_DISABLE_IMPLICIT_TOKEN"])) return undefined;
  const source = atHome(env.HF_TOKEN_PATH) || join(home(env), "token");
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

const isOn = (value: string | undefined): boolean => /^(?:1|on|yes|true)$/i.test(value ?? "");

/** A file that Python's hub client has downloaded for any model: it keeps large ones under their hashes. */
export function findHubFile(sha256: string, env: Environment): string | undefined {
  const folder = hubCache(env);
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .map((model) => join(folder, model, "blobs", sha256))
    .find((path) => existsSync(path));
}
