import { Agent, type IncomingMessage, request as send } from "node:http";
import { Agent as SecureAgent, request as sendSecurely } from "node:https";
import type { Environment } from "./cache.ts";

export interface RequestOptions {
  /** HEAD stops before a redirect to another host: it asks for what the first one says. */
  method?: "GET" | "HEAD";
  headers?: Readonly<Record<string, string>>;
  /** Origins that a token may go to, besides that of the address itself. */
  trusted?: readonly string[];
  /** Its HTTPS_PROXY, HTTP_PROXY and NO_PROXY, in either case, are kept to. */
  env?: Environment;
  signal?: AbortSignal | undefined;
}

const MOST_REDIRECTS = 10;
/** Milliseconds without a byte after which a connection is given up. */
const SILENCE = 60_000;

/**
 * Asks for `url` and those it redirects to; the body is to be read or destroyed. A token among the headers goes to no other
 * host, nor to the same one unencrypted after https. Any status is an answer; what is thrown is a connection that failed.
 */
export async function request(url: string, options: RequestOptions = {}): Promise<IncomingMessage> {
  const { method = "GET", headers = {}, trusted = [], env = process.env, signal } = options;
  const { authorization: _, ...others } = headers;
  const origin = new URL(url);
  let target = origin;
  for (let redirects = 0; ; redirects++) {
    const isKnown = isSameHost(origin, target) || trusted.includes(target.origin);
    const response = await ask(method, target, isKnown ? headers : others, env, signal);
    const { location } = response.headers;
    const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0);
    if (!isRedirect || location === undefined) return response;
    const next = new URL(location, target);
    if (method === "HEAD" && !isSameHost(origin, next) && !trusted.includes(next.origin)) return response;
    response.destroy();
    if (redirects === MOST_REDIRECTS) throw new Error(`${url} redirects more than ${MOST_REDIRECTS} times`);
    target = next;
  }
}

const isSameHost = (origin: URL, target: URL): boolean =>
  target.host === origin.host && (target.protocol === origin.protocol || target.protocol === "https:");

function ask(
  method: string,
  url: URL,
  headers: Readonly<Record<string, string>>,
  env: Environment,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  const proxyEnv = { ...env };
  const isSecure = url.protocol === "https:";
  const options = { method, headers, ...(signal && { signal }) };
  return new Promise((resolve, reject) => {
    const started = isSecure
      ? sendSecurely(url, { ...options, agent: new SecureAgent({ proxyEnv }) }, resolve)
      : send(url, { ...options, agent: new Agent({ proxyEnv }) }, resolve);
    started.on("error", reject);
    started.setTimeout(SILENCE, () => started.destroy(new Error(`no answer for ${SILENCE / 1000} s`)));
    started.end();
  });
}

/** All of a response's body. */
export async function bodyOf(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
