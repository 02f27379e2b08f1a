import { lookup } from "node:dns";
import { get as getHttp, type IncomingMessage } from "node:http";
import { get as getHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { LlavaError } from "../../errors.ts";
import { isPublicAddress } from "./address.ts";
import { type LimitNames, raising } from "./limits.ts";

export type DownloadOptions = {
  /** Bytes of body; 256 MiB. */
  maxBytes?: number;
  /** For everything, redirects included, in milliseconds; 30,000. */
  timeout?: number;
  /** Also connects to private, loopback and link-local addresses. Leave it off for addresses from users. */
  allowPrivate?: boolean;
  /** How hints name these limits; those of a call's options without it. */
  limits?: LimitNames;
  signal?: AbortSignal;
};

const MAX_REDIRECTS = 3;
const GET_IT_YOURSELF = "check the address, or download the image yourself and give its path";

/**
 * Downloads an http or https address whose content is bounded in size and time.
 *
 * Every hop is resolved once and connected to the very address that was checked, so that a name cannot
 * turn private between check and use. Throws code "network", or "aborted" when the signal fires.
 */
export async function download(url: URL, options: DownloadOptions = {}): Promise<Uint8Array> {
  const { maxBytes = 256 * 1024 * 1024, timeout = 30_000 } = options;
  const deadline = AbortSignal.timeout(timeout);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  try {
    let target = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await request(target, options, signal);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status < 300 || status >= 400 || location === undefined) {
        return await readBody(response, target, maxBytes, options.limits);
      }
      response.destroy();
      if (!URL.canParse(location, target.href)) {
        throw new LlavaError(
          "network",
          `${shown(target)}: redirects to ${JSON.stringify(location)}, not an address`,
        );
      }
      target = new URL(location, target.href);
    }
    throw new LlavaError("network", `${shown(url)}: more than ${MAX_REDIRECTS} redirects`);
  } catch (cause) {
    if (cause instanceof LlavaError) throw cause;
    if (options.signal?.aborted)
      throw new LlavaError("aborted", `${shown(url)}: download stopped`, { cause });
    if (deadline.aborted) {
      throw new LlavaError("network", `${shown(url)}: not finished within ${timeout / 1000} s`, {
        hint: GET_IT_YOURSELF,
        cause,
      });
    }
    throw new LlavaError("network", `${shown(url)}: ${(cause as Error).message}`, {
      hint: GET_IT_YOURSELF,
      cause,
    });
  }
}

function request(
  url: URL,
  { allowPrivate = false, limits }: DownloadOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new LlavaError("network", `${shown(url)}: expected http or https, got ${url.protocol}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (!allowPrivate && isIP(host) && !isPublicAddress(host)) throw privateAddress(host, host, limits);
  const get = url.protocol === "https:" ? getHttps : getHttp;
  return new Promise((resolve, reject) => {
    const headers = { accept: "image/*", "accept-encoding": "identity", "user-agent": "llava" };
    get(
      url,
      { agent: false, headers, signal, lookup: allowPrivate ? lookup : publicLookup(limits) },
      resolve,
    ).on("error", reject);
  });
}

/** Resolves a name for the connection and fails if any of its addresses is not public. */
const publicLookup =
  (limits: LimitNames | undefined): LookupFunction =>
  (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "");
      const refused = addresses.find(({ address }) => !isPublicAddress(address));
      if (refused) return callback(privateAddress(hostname, refused.address, limits), "");
      if (options.all) return callback(null, addresses);
      callback(null, addresses[0]!.address, addresses[0]!.family);
    });
  };

async function readBody(
  response: IncomingMessage,
  url: URL,
  maxBytes: number,
  limits: LimitNames | undefined,
): Promise<Uint8Array> {
  const status = response.statusCode ?? 0;
  if (status < 200 || status >= 300) {
    response.destroy();
    throw new LlavaError(
      "network",
      `${shown(url)}: the server answered ${status} ${response.statusMessage}`,
      {
        hint: GET_IT_YOURSELF,
      },
    );
  }
  const declared = Number(response.headers["content-length"] ?? 0);
  const chunks: Buffer[] = [];
  let received = 0;
  if (declared <= maxBytes) {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      received += chunk.length;
      if (received > maxBytes) break;
      chunks.push(chunk);
    }
  }
  response.destroy();
  if (Math.max(declared, received) > maxBytes) {
    const size = declared > maxBytes ? `${declared} bytes` : "the answer goes on";
    throw new LlavaError("network", `${shown(url)}: ${size}, the limit is ${maxBytes} bytes`, {
      hint: `${GET_IT_YOURSELF}${raising("maxBytes", limits)}`,
    });
  }
  return Buffer.concat(chunks);
}

function privateAddress(host: string, address: string, limits: LimitNames | undefined): LlavaError {
  const resolved = host === address ? "" : ` resolves to ${address}, which`;
  return new LlavaError("network", `${host}${resolved} is not a public address, refused`, {
    hint: `download the image yourself${raising("allowPrivate", limits)}`,
  });
}

/** The address without credentials and query, which may hold secrets. */
function shown(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
