import { LlavaError } from "../../errors.ts";
import { parseJsonObject } from "../../files/index.ts";
import type { Environment } from "../cache.ts";
import { bodyOf, request } from "../request.ts";
import { hubToken } from "./account.ts";

export interface HubFile {
  name: string;
  /** 0 when the hub does not say. */
  bytes: number;
  /** Of large files only. */
  sha256: string | undefined;
}

export interface HubListing {
  commit: string;
  files: Map<string, HubFile>;
}

const defaultEndpoint = "https://huggingface.co";

export const hubEndpoint = (env: Environment): string =>
  (env.HF_ENDPOINT || defaultEndpoint).replace(/\/+$/, "");

export function hubHeaders(env: Environment): Record<string, string> {
  const found = hubToken(env);
  return found ? { authorization: `Bearer ${found.token}` } : {};
}

/**
 * The files of a repository at a revision.
 * @throws LlavaError "config" when the hub shows no such model, "network" for anything else that fails
 */
export async function listRepository(
  repository: string,
  revision: string,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<HubListing> {
  const url = `${hubEndpoint(env)}/api/models/${repository}/revision/${encodeURIComponent(revision)}?blobs=true`;
  let status: number;
  let body: Buffer;
  try {
    const response = await request(url, { headers: hubHeaders(env), env, signal });
    status = response.statusCode ?? 0;
    body = await bodyOf(response);
  } catch (error) {
    signal?.throwIfAborted();
    throw new LlavaError("network", `the model hub cannot be reached (${url}): ${reasonOf(error)}`, {
      hint: "Check the connection, HTTPS_PROXY or HF_ENDPOINT; a local folder can be given instead of a hub name.",
      cause: error,
    });
  }
  if (status === 404 || status === 401 || status === 403)
    throw new LlavaError(
      "config",
      `the hub shows no model ${repository} at revision ${revision} (status ${status})`,
      { hint: refusalHint(status, env) },
    );
  if (status !== 200)
    throw new LlavaError("network", `the model hub answered status ${status} for ${url}`, {
      hint:
        status === 429 ? "It has had too many requests; wait a while, or set HF_TOKEN." : "Try again later.",
    });
  const { sha, siblings = [] } = parseJsonObject(body, url) as {
    sha?: string;
    siblings?: { rfilename: string; size?: number; lfs?: { sha256?: string; size?: number } }[];
  };
  if (!sha)
    throw new LlavaError("network", `${url} answered without a commit`, {
      hint: "Check that HF_ENDPOINT is a model hub.",
    });
  const files = siblings
    .filter(({ rfilename }) => !/(?:^|\/)\.\.?(?:\/|$)|^\/|\\/.test(rfilename))
    .map(({ rfilename: name, size, lfs }) => ({ name, bytes: lfs?.size ?? size ?? 0, sha256: lfs?.sha256 }));
  return { commit: sha, files: new Map(files.map((file) => [file.name, file])) };
}

/** What to do about a hub that refuses: it depends on whether it was sent a token. */
export function refusalHint(status: number, env: Environment): string {
  const token = hubToken(env);
  if (!token) return "Check the name; for a gated or private model set HF_TOKEN, or run: hf auth login";
  return status === 401
    ? `Check the name; or the token of ${token.source} is not accepted: HF_TOKEN overrides it.`
    : `Check the name, and on the model's page whether the account of the token (${token.source}) has been given access.`;
}

const reasonOf = (error: unknown): string => {
  const { message, code } = error as NodeJS.ErrnoException;
  return message || code || String(error);
};
