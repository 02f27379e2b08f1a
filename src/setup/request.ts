import { Agent, get, type IncomingMessage } from "node:http";
import { get as getSecurely, Agent as SecureAgent } from "node:https";
import type { Environment } from "./cache.ts";

export interface RequestOptions {
  headers?: Readonly<Record<string, string>>;
  /** Its HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case, are kept to. */
  env?: Environment;
  signal?: AbortSignal | undefined;
}

const MOST_REDIRECTS = 10;
/** Milliseconds without a byte after which a connection is given up. */
const SILENCE = 60_000;

/**
 * GETs `url` and those it redirects to; the body is to be read or destroyed. Headers of the first host, such as a token,
 * go to no other. Any status is an answer; what is thrown is a connection that failed.
 */
export async function request(
  url: string,
  { headers = {}, env = process.env, signal }: RequestOptions = {},
): Promise<IncomingMessage> {
  const origin = new URL(url);
  let target = origin;
  for (let redirects = 0; ; redirects++) {
    const { authorization: _, ...others } = headers;
    const response = await ask(target, target.host === origin.host ? headers : others, env, signal);
    const { location } = response.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
    if (!isRedirect || location === undefined) return response;
    response.destroy();
    if (redirects === MOST_REDIRECTS) throw new Error(`${url} redirects more than ${MOST_REDIRECTS} times`);
    target = new URL(location, target);
  }
}

function ask(
  url: URL,
  headers: Readonly<Record<string, string>>,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const proxyEnv = { ...env };
  const isSecure = url.protocol === "https:";
  const options = { headers, ...(signal && { signal }) };
  return new Promise((resolve, reject) => {
    const started = isSecure
      ? getSecurely(url, { ...options, agent: new SecureAgent({ proxyEnv }) }, resolve)
      : get(url, { ...options, agent: new Agent({ proxyEnv }) }, resolve);
    started.on("error", reject);
    started.setTimeout(SILENCE, () => started.destroy(new Error(`no answer for ${SILENCE / 1000} s`)));
  });
}

/** All of a response's body. */
export async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
