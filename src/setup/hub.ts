import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, rename } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { LlavaError } from "../errors.ts";
import { parseJsonObject } from "../json.ts";
import { cacheFolder, type Environment } from "./cache.ts";
import { downloadFile } from "./download.ts";
import { withLock } from "./lock.ts";
import type { SetupOptions } from "./options.ts";
import { silentProgress } from "./progress.ts";

/** A model on the hub: "organisation/name", with "@revision" for another branch, tag or commit than main. */
export interface HubId {
  repository: string;
  revision: string;
}

interface HubFile {
  name: string;
  bytes: number;
  sha256: string | undefined;
}

const defaultEndpoint = "https://huggingface.co";

export function parseHubId(text: string): HubId | undefined {
  const match = text.match(/^([\w-][\w.-]*\/[\w-][\w.-]*)(?:@([\w][\w./-]*))?$/);
  return match ? { repository: match[1]!, revision: match[2] ?? "main" } : undefined;
}

const hubCache = (env: Environment): string => {
  const home = env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface");
  return env.HF_HUB_CACHE || join(home, "hub");
};

/** A file that Python's hub client has downloaded for any model: it keeps large ones under their hashes. */
export function findHubFile(sha256: string, env: Environment): string | undefined {
  const folder = hubCache(env);
  if (!existsSync(folder)) return undefined;
  return readdirSync(folder)
    .map((model) => join(folder, model, "blobs", sha256))
    .find((path) => existsSync(path));
}

/** The folder of a model that Python's hub client or this project has downloaded completely. */
export function findHubModel({ repository, revision }: HubId, env: Environment): string | undefined {
  const shared = join(hubCache(env), `models--${repository.replace("/", "--")}`);
  const reference = join(shared, "refs", revision);
  const commit = existsSync(reference) ? readFileSync(reference, "utf8").trim() : revision;
  return [join(shared, "snapshots", commit), ownFolder({ repository, revision }, env)].find(isComplete);
}

function ownFolder({ repository, revision }: HubId, env: Environment): string {
  return join(cacheFolder(env), "hub", `${repository}@${revision}`.replaceAll("/", "--"));
}

/** A folder is complete when it has a config and all weights, which an index lists where there are shards. */
function isComplete(folder: string): boolean {
  if (!existsSync(join(folder, "config.json"))) return false;
  const names = readdirSync(folder);
  const index = names.find((name) => /^(model\.safetensors|pytorch_model\.bin)\.index\.json$/.test(name));
  if (!index) return names.some(isWeightFile);
  const path = join(folder, index);
  const { weight_map: shards = {} } = parseJsonObject(readFileSync(path), path) as {
    weight_map?: Record<string, string>;
  };
  return Object.values(shards).every((shard) => names.includes(shard));
}

const isWeightFile = (name: string): boolean => /\.(safetensors|bin)$/.test(name);

/**
 * Downloads a model's configuration, tokenizer and weights; what an interrupted run has left is continued.
 * @throws LlavaError "config" when the hub has no such model, "network" for anything else that fails
 */
export async function downloadHubModel(id: HubId, options: SetupOptions = {}): Promise<string> {
  const { progress = silentProgress, report, signal } = options;
  const env: Environment = options.env ?? process.env;
  const folder = ownFolder(id, env);
  const endpoint = (env.HF_ENDPOINT || defaultEndpoint).replace(/\/+$/, "");
  const headers = env.HF_TOKEN ? { authorization: `Bearer ${env.HF_TOKEN}` } : {};
  const aborting = signal ? { signal } : {};

  const download = async (): Promise<string> => {
    if (isComplete(folder)) return folder;
    const { commit, files } = await listFiles(
      `${endpoint}/api/models/${id.repository}/revision/${encodeURIComponent(id.revision)}?blobs=true`,
      id,
      headers,
      signal,
    );
    const partial = `${folder}.partial`;
    await mkdir(partial, { recursive: true });
    const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
    report?.(`Downloading ${id.repository} into ${folder}.`);
    const bar = progress({ label: id.repository, total, unit: "bytes" });
    try {
      let before = 0;
      for (const { name, bytes, sha256 } of files) {
        await downloadFile(`${endpoint}/${id.repository}/resolve/${commit}/${name}`, join(partial, name), {
          bytes,
          ...(sha256 && { sha256 }),
          headers,
          onBytes: (received) => bar.update(before + received, name),
          ...aborting,
        });
        before += bytes;
      }
    } finally {
      bar.stop();
    }
    await rename(partial, folder);
    return folder;
  };
  await mkdir(dirname(folder), { recursive: true });
  return withLock(`${folder}.lock`, download, {
    onWait: () => report?.("Another process is downloading this model; waiting for it."),
    ...aborting,
  });
}

async function listFiles(
  url: string,
  { repository, revision }: HubId,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<{ commit: string; files: HubFile[] }> {
  const response = await fetch(url, { headers, ...(signal && { signal }) }).catch((error) => {
    signal?.throwIfAborted();
    throw new LlavaError("network", `the model hub cannot be reached (${url}): ${reasonOf(error)}`, {
      hint: "Check the connection, or HF_ENDPOINT; a local folder can be given instead of a hub name.",
      cause: error,
    });
  });
  if (response.status === 404 || response.status === 401 || response.status === 403) {
    throw new LlavaError(
      "config",
      `the hub shows no model ${repository} at revision ${revision} (status ${response.status})`,
      {
        hint: "Check the name; for a gated or private model set HF_TOKEN.",
      },
    );
  }
  if (!response.ok)
    throw new LlavaError("network", `the model hub answered status ${response.status} for ${url}`);
  const { sha, siblings = [] } = parseJsonObject(await response.text(), url) as {
    sha?: string;
    siblings?: { rfilename: string; size?: number; lfs?: { sha256?: string; size?: number } }[];
  };
  const all = siblings.map(({ rfilename, size, lfs }) => ({
    name: rfilename,
    bytes: lfs?.size ?? size ?? 0,
    sha256: lfs?.sha256,
  }));
  const hasSafetensors = all.some(({ name }) => /^[^/]+\.safetensors$/.test(name));
  const wanted = /^[\w-][\w.-]*\.(json|safetensors|bin|txt|jinja|model)$/;
  const files = all.filter(
    ({ name }) => wanted.test(name) && !(hasSafetensors && /\.bin(\.index\.json)?$/.test(name)),
  );
  if (!sha || !files.some(({ name }) => isWeightFile(name))) {
    throw new LlavaError("config", `${repository} on the hub has no weights as .safetensors or .bin`, {
      hint: "Choose a repository in the transformers layout.",
    });
  }
  return { commit: sha, files };
}

const reasonOf = (error: unknown): string => {
  const { message, cause } = error as Error;
  return cause instanceof Error ? cause.message || (cause as NodeJS.ErrnoException).code || message : message;
};
