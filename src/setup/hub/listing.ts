import { readFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { LlavaError } from "../../errors.ts";
import { type JsonObject, parseJsonObject, writeAtomically } from "../../files/index.ts";
import type { Environment } from "../cache.ts";
import { bodyOf, request } from "../request.ts";
import { type RetryOptions, Unavailable, withRetries } from "../retry.ts";
import { fileAddress, hubAccess, hubEndpoint } from "./address.ts";
import { type HubId, isInside } from "./id.ts";
import { hubRefusal } from "./refusals.ts";
import type { HubStorage } from "./storage.ts";

export interface HubFile {
  name: string;
  /** 0 when the hub does not say. */
  bytes: number;
  /**
   * What the hub's caches name the content by: the SHA-256 of a large file, git's hash of a small one. Undefined where the
   * listing does not tell it.
   */
  etag: string | undefined;
}

/** The files of a commit. */
export interface HubListing {
  commit: string;
  files: Map<string, HubFile>;
}

/**
 * The files of a repository at a revision, or at the commit that it is known to be.
 * @throws LlavaError "config" when the hub shows no such model, "network" for anything else that fails
 */
export async function listRepository(
  id: HubId,
  revision: string,
  env: Environment,
  retry: RetryOptions = {},
): Promise<HubListing> {
  const url = `${hubEndpoint(env)}/api/models/${id.repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const { body } = await ask(url, { ...id, revision }, env, retry);
  const { sha, siblings = [] } = parseJsonObject(body, url) as {
    sha?: string;
    siblings?: {
      rfilename: string;
      size?: number;
      blobId?: string;
      lfs?: { sha256?: string; size?: number };
    }[];
  };
  if (!sha || !/^\w+$/.test(sha))
    throw new LlavaError("network", `${url} answered without a commit`, {
      hint: "Check that HF_ENDPOINT is a model hub.",
    });
  const files = siblings
    .filter(({ rfilename }) => isInside(rfilename))
    .map(({ rfilename: name, size, blobId, lfs }) => ({
      name,
      bytes: lfs?.size ?? size ?? 0,
      etag: etagFrom(lfs ? lfs.sha256 : blobId),
    }));
  return { commit: sha, files: new Map(files.map((file) => [file.name, file])) };
}

/** What a file's own address tells of it, for a listing that does not. */
export async function askForFile(
  id: HubId,
  commit: string,
  name: string,
  env: Environment,
  retry: RetryOptions = {},
): Promise<HubFile> {
  const url = fileAddress(id, commit, name, env);
  const { headers, statusCode = 0 } = await ask(url, id, env, retry, name);
  const etag = etagFrom(String(headers["x-linked-etag"] ?? headers.etag ?? ""));
  if (etag === undefined)
    throw new LlavaError("network", `${url} answered without an ETag`, {
      hint: "Check that HF_ENDPOINT is a model hub.",
    });
  const bytes = headers["x-linked-size"] ?? (statusCode < 300 ? headers["content-length"] : undefined);
  return { name, bytes: Number(bytes ?? 0) || 0, etag };
}

/** Without the marks of HTTP; undefined for what cannot be the name of a file. */
const etagFrom = (text: string | undefined): string | undefined =>
  text?.match(/^(?:W\/)?"?([\w-][\w.-]*)"?$/)?.[1];

/** An answer of the hub: of a file's address (`file`) its head, else the whole. Where it is busy, it is asked again. */
async function ask(
  url: string,
  id: HubId,
  env: Environment,
  retry: RetryOptions,
  file?: string,
): Promise<Pick<IncomingMessage, "headers" | "statusCode"> & { body: Buffer }> {
  const { signal } = retry;
  try {
    return await withRetries(async () => {
      const { response, body } = await answerOf(url, env, signal, file === undefined ? "GET" : "HEAD");
      const { statusCode = 0, headers } = response;
      if (Unavailable.includes(statusCode)) throw new Unavailable(response);
      if (statusCode >= 400) throw hubRefusal(response, id, env, file);
      return { statusCode, headers, body };
    }, retry);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    throw new LlavaError("network", `the model hub answered ${error.message} (${url})`, {
      hint:
        error.status === 429
          ? "It has had too many requests; wait a while, or set HF_TOKEN."
          : "Try again later.",
      cause: error,
    });
  }
}

async function answerOf(
  url: string,
  env: Environment,
  signal: AbortSignal | undefined,
  method: "GET" | "HEAD",
): Promise<{ response: IncomingMessage; body: Buffer }> {
  const access = hubAccess(env);
  const headers = { ...access.headers, "accept-encoding": "identity" };
  try {
    const response = await request(url, { ...access, headers, method, signal });
    return { response, body: await bodyOf(response) };
  } catch (error) {
    signal?.throwIfAborted();
    throw new LlavaError("network", `the model hub cannot be reached (${url}): ${reasonOf(error)}`, {
      hint: "Check the connection, HTTPS_PROXY or HF_ENDPOINT; a local folder can be given instead of a hub name.",
      cause: error,
    });
  }
}

const reasonOf = (error: unknown): string => {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
};

/** A listing that is on this machine; Python's client writes such ones too. A commit's never changes. */
export function readListing(storages: readonly HubStorage[], commit: string): HubListing | undefined {
  for (const storage of storages)
    try {
      const content = parseJsonObject(readFileSync(storage.tree(commit)), "") as unknown as Tree;
      if (content.format_version !== TREE_VERSION) continue;
      const files = Object.entries(content.files)
        .filter(([name]) => isInside(name))
        .map(([name, { size, lfs_size, blob_id, lfs_sha256 }]) => ({
          name,
          bytes: lfs_size ?? size,
          etag: etagFrom(lfs_sha256 ?? blob_id),
        }));
      return { commit, files: new Map(files.map((file) => [file.name, file])) };
    } catch {
      // what is not there, or damaged, the hub is asked for
    }
  return undefined;
}

/** Keeps a listing in this project's own folder; where that cannot be written, the hub is asked again another time. */
export function keepListing({ commit, files }: HubListing, storage: HubStorage): void {
  const entries = [...files.values()].map(({ name, bytes, etag = "" }): [string, Tree["files"][string]] => [
    name,
    { size: bytes, blob_id: etag, ...(etag.length === 64 && { lfs_sha256: etag, lfs_size: bytes }) },
  ]);
  const tree: Tree = { format_version: TREE_VERSION, files: Object.fromEntries(entries) };
  try {
    const text = `${JSON.stringify(tree, null, 1)}\n`;
    writeAtomically(storage.tree(commit), [text], { makesFolder: true });
  } catch (error) {
    if (!(error instanceof LlavaError)) throw error;
  }
}

const TREE_VERSION = 1;
/** As huggingface_hub's _tree_cache.py has it. */
interface Tree extends JsonObject {
  format_version: number;
  files: Record<string, { size: number; blob_id: string; lfs_sha256?: string; lfs_size?: number }>;
}
