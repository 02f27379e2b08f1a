import { closeSync, openSync, writeSync } from "node:fs";
import { mkdir, rename, rm, stat } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { dirname } from "node:path";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { LlavaError } from "../errors.ts";
import { fileGitHash, fileSha256, isRefusal, unwritable } from "../files/index.ts";
import { type RequestOptions, request } from "./request.ts";
import { type RetryOptions, Unavailable, withRetries } from "./retry.ts";

interface DownloadOptions
  extends Omit<RequestOptions, "method">,
    Omit<RetryOptions, "hasProgressed" | "signal"> {
  /** The expected length; 0 when it is not known. */
  bytes?: number;
  /** What the content must have: a SHA-256, or of 40 digits git's name of it; other texts tell nothing of the content. */
  hash?: string;
  /** Where the file grows, on the same disk as `path`; default `path.partial`. A later run goes on with what is there. */
  partial?: string;
  /** The environment variable by which a user moves `path`, for where it cannot be written. */
  variable?: string;
  /** The error for a server that refuses. */
  refusal?: (response: IncomingMessage) => LlavaError;
  /** Bytes of the file that are on disk. */
  onBytes?: (received: number) => void;
}

/**
 * Downloads `url` to `path` through a partial file, which a later attempt or run continues. The file takes its name
 * only when length and hash are right; a part that turns out to be of another file is fetched once more from its start.
 * @throws LlavaError "network", "setup" where the disk refuses, or what `refusal` makes
 */
export async function downloadFile(url: string, path: string, options: DownloadOptions = {}): Promise<void> {
  const { bytes = 0, onBytes, partial = `${path}.partial` } = options;
  const present = await sizeOf(path);
  if (present !== undefined && (bytes === 0 || present === bytes)) return onBytes?.(bytes);
  await mkdir(dirname(path), { recursive: true });
  await mkdir(dirname(partial), { recursive: true });
  let isPieced = await fetchWhole(url, partial, options);
  let problem = await problemOf(partial, options);
  if (problem !== undefined && isPieced) {
    await rm(partial, { force: true });
    isPieced = await fetchWhole(url, partial, options);
    problem = await problemOf(partial, options);
  }
  if (problem !== undefined) {
    await rm(partial, { force: true });
    throw new LlavaError("network", `the file at ${url} has ${problem}`, {
      hint: "It was removed; run it again.",
    });
  }
  await rename(partial, path);
}

/** Fetches until all is there. Returns whether the file was put together from the answers of several requests. */
async function fetchWhole(url: string, partial: string, options: DownloadOptions): Promise<boolean> {
  const { retries, pause, report, signal } = options;
  const before = (await sizeOf(partial)) ?? 0;
  let requests = 0;
  let reached = before;
  let last = before;
  const counted = {
    ...options,
    onBytes: (received: number) => {
      last = received;
      options.onBytes?.(received);
    },
  };
  const hasProgressed = (): boolean => {
    const isFurther = last > reached;
    reached = Math.max(reached, last);
    return isFurther;
  };
  try {
    await withRetries(
      () => {
        requests++;
        return continueDownload(url, partial, counted);
      },
      {
        ...(retries !== undefined && { retries }),
        ...(pause !== undefined && { pause }),
        hasProgressed,
        report,
        signal,
      },
    );
  } catch (error) {
    signal?.throwIfAborted();
    if (error instanceof LlavaError) throw error;
    if (isRefusal(error)) throw unwritable(partial, error, options.variable);
    throw new LlavaError("network", `the download of ${url} broke off: ${(error as Error).message}`, {
      hint: "Run it again; it continues where it stopped.",
      cause: error,
    });
  }
  return before > 0 || requests > 1;
}

async function problemOf(
  partial: string,
  { bytes = 0, hash = "" }: DownloadOptions,
): Promise<string | undefined> {
  const size = await sizeOf(partial);
  if (bytes > 0 && size !== bytes) return `${size} bytes, expected ${bytes}`;
  return (await hasHash(partial, hash)) ? undefined : `another ${kindOf(hash)} than ${hash}`;
}

const kindOf = (hash: string): string | undefined =>
  /^[0-9a-f]{64}$/.test(hash) ? "SHA-256" : /^[0-9a-f]{40}$/.test(hash) ? "git hash" : undefined;

/** Whether a file's content has the hash (see `DownloadOptions`); true where that cannot be told. */
export async function hasHash(path: string, hash: string): Promise<boolean> {
  const kind = kindOf(hash);
  return kind === undefined || (await (kind === "SHA-256" ? fileSha256 : fileGitHash)(path)) === hash;
}

async function continueDownload(url: string, partial: string, options: DownloadOptions): Promise<void> {
  const { bytes = 0, headers = {}, refusal, onBytes, signal } = options;
  const present = (await sizeOf(partial)) ?? 0;
  if (bytes > 0 && present === bytes) return onBytes?.(present);
  const range = present > 0 ? { range: `bytes=${present}-` } : {};
  const response = await request(url, {
    ...options,
    headers: { ...headers, "accept-encoding": "identity", ...range },
  });
  const { statusCode: status = 0 } = response;
  if (status !== 200 && status !== 206) response.destroy();
  if (status === 416) {
    await rm(partial, { force: true });
    throw new Error("the part on disk does not belong to the file");
  }
  if (Unavailable.includes(status)) throw new Unavailable(response);
  if (status !== 200 && status !== 206)
    throw (
      refusal?.(response) ??
      new LlavaError("network", `${url} answered status ${status}`, { hint: "Check the address." })
    );
  const { start = present, total } = extentOf(response);
  if (bytes > 0 && total !== undefined && total !== bytes) {
    response.destroy();
    await rm(partial, { force: true });
    throw new LlavaError("network", `the file at ${url} has ${total} bytes, expected ${bytes}`, {
      hint: "It was removed; run it again.",
    });
  }
  if (start !== 0 && start !== present) {
    response.destroy();
    await rm(partial, { force: true });
    throw new Error(`bytes from ${start} on came where those from ${present} on were asked for`);
  }
  let received = start;
  const file = openSync(partial, start > 0 ? "a" : "w");
  // What has come is on the disk before what comes next, be it an error.
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (bytes > 0 && received + chunk.length > bytes)
        return done(new Error(`more than ${bytes} bytes came`));
      try {
        for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
      } catch (error) {
        return done(error as Error);
      }
      received += chunk.length;
      onBytes?.(received);
      return done();
    },
  });
  try {
    await pipeline([response, output], signal ? { signal } : {});
  } finally {
    closeSync(file);
  }
  if (received < bytes) throw new Error(`it ended after ${received} of ${bytes} bytes`);
}

/** Where in the file an answer's bytes begin, and the length of the whole file, as far as the answer tells them. */
function extentOf({ statusCode, headers }: IncomingMessage): {
  start: number | undefined;
  total: number | undefined;
} {
  const [, start, whole] = headers["content-range"]?.match(/^bytes (\d+)-\d+\/(\d+|\*)$/) ?? [];
  if (statusCode === 206) return { start: numberOf(start ?? ""), total: numberOf(whole ?? "") };
  const isEncoded = (headers["content-encoding"] ?? "identity") !== "identity";
  return { start: 0, total: isEncoded ? undefined : numberOf(headers["content-length"] ?? "") };
}

const numberOf = (text: string): number | undefined => (/^\d+$/.test(text) ? Number(text) : undefined);

async function sizeOf(path: string): Promise<number | undefined> {
  return (await stat(path).catch(() => undefined))?.size;
}
