import { createWriteStream } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { LlavaError } from "../errors.ts";
import { fileSha256, isRefusal, unwritable } from "../files/index.ts";
import type { Environment } from "./cache.ts";
import { request } from "./request.ts";

export interface DownloadOptions {
  /** The expected length; 0 when it is not known. */
  bytes?: number;
  sha256?: string;
  headers?: Record<string, string>;
  /** What to do about a server that refuses, by its status. */
  refusal?: (status: number) => string;
  env?: Environment;
  /** Bytes of the file that are on disk. */
  onBytes?: (received: number) => void;
  /** Further attempts after a broken connection or a server error. */
  retries?: number;
  /** Milliseconds before the first further attempt; doubled for each next one. */
  pause?: number;
  signal?: AbortSignal;
}

/**
 * Downloads `url` to `path` through `path.partial`, which a later attempt or run continues. The file takes its name
 * only when length and hash are right.
 * @throws LlavaError "network"
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  const { bytes = 0, sha256, retries = 4, pause = 1000, onBytes, signal } = options;
  const present = await sizeOf(path);
  if (present !== undefined && (bytes === 0 || present === bytes)) {
    onBytes?.(bytes);
    return;
  }
  const partial = `${path}.partial`;
  await mkdir(dirname(path), { recursive: true });
  for (let attempt = 0; ; attempt++) {
    try {
      await continueDownload(url, partial, options);
      break;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof LlavaError) throw error;
      if (isRefusal(error)) throw unwritable(partial, error);
      if (attempt === retries) {
        throw new LlavaError("network", `the download of ${url} broke off: ${(error as Error).message}`, {
          hint: "Run it again; it continues where it stopped.",
          cause: error,
        });
      }
      await sleep(pause * 2 ** attempt, undefined, signal ? { signal } : {});
    }
  }
  const size = await sizeOf(partial);
  const problem =
    bytes > 0 && size !== bytes
      ? `${size} bytes, expected ${bytes}`
      : sha256 && (await fileSha256(partial)) !== sha256
        ? `another SHA-256 than ${sha256}`
        : undefined;
  if (problem) {
    await rm(partial, { force: true });
    throw new LlavaError("network", `the file at ${url} has ${problem}`, {
      hint: "It was removed; run it again.",
    });
  }
  await rename(partial, path);
}

async function continueDownload(
  url: string,
  partial: string,
  { bytes = 0, headers = {}, refusal, env, onBytes, signal }: DownloadOptions,
): Promise<void> {
  const present = (await sizeOf(partial)) ?? 0;
  if (bytes > 0 && present === bytes) return onBytes?.(present);
  const response = await request(url, {
    headers: {
      ...headers,
      "accept-encoding": "identity",
      ...(present > 0 && { range: `bytes=${present}-` }),
    },
    ...(env && { env }),
    signal,
  });
  const { statusCode: status = 0 } = response;
  if (status < 200 || status > 299) response.destroy();
  if (status === 416) {
    await rm(partial, { force: true });
    throw new Error("the part on disk does not belong to the file");
  }
  if (status >= 500 || status === 429) throw new Error(`status ${status}`);
  if (status < 200 || status > 299) {
    throw new LlavaError("network", `${url} answered status ${status}`, {
      hint: refusal?.(status) ?? "Check the address.",
    });
  }
  const resumed = status === 206;
  let received = resumed ? present : 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      received += chunk.length;
      onBytes?.(received);
      done(null, chunk);
    },
  });
  const output = createWriteStream(partial, { flags: resumed ? "a" : "w" });
  await pipeline([response, count, output], signal ? { signal } : {});
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
