import { createHash } from "node:crypto";
import { mkdtempSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { join } from "node:path";
import { startServer } from "./server.ts";

export type HubFiles = Record<string, Buffer>;

/** Whether the hub would keep it as a large file. */
export const isLarge = (name: string): boolean => /\.(?:safetensors|bin|gguf)$/.test(name);

const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const gitHash = (content: Buffer): string =>
  createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");

/** What the hub names a file's content by. */
export const etagOf = (name: string, content: Buffer): string =>
  isLarge(name) ? sha256(content) : gitHash(content);

export interface TestHub extends AsyncDisposable {
  url: string;
  /** The files of org/x, which may be changed; their commit follows. */
  files: HubFiles;
  readonly commit: string;
  /** What was asked for: "listing", or the file's name, HEAD before it where only its head was. */
  requests: string[];
  authorization: Set<string | undefined>;
  /** Answers in place of the hub where it returns true. */
  intercept: (request: IncomingMessage, response: ServerResponse, asked: string) => boolean;
  /** Answers with a file's content, or the range of it that is asked for. */
  send(request: IncomingMessage, response: ServerResponse, content: Buffer): void;
}

/** A hub with the model org/x, as far as huggingface.co's own is asked by its clients. */
export async function startHub(files: HubFiles = {}): Promise<TestHub> {
  const server = await startServer((request, response) => answer(hub, request, response));
  const hub: TestHub = {
    url: server.url,
    files,
    get commit() {
      const hash = createHash("sha1");
      for (const [name, content] of Object.entries(this.files)) hash.update(name).update(content);
      return hash.digest("hex");
    },
    requests: [],
    authorization: new Set(),
    intercept: () => false,
    send: sendRange,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
  return hub;
}

function answer(hub: TestHub, request: IncomingMessage, response: ServerResponse): unknown {
  const url = decodeURIComponent(new URL(request.url ?? "", "http://hub").pathname);
  const [, revision, name] = url.match(/^\/org\/x\/resolve\/([^/]+)\/(.+)$/) ?? [];
  const listed = url.match(/^\/api\/models\/org\/x\/(revision|tree)\/(.+)$/);
  const asked = name === undefined ? "listing" : request.method === "HEAD" ? `HEAD ${name}` : name;
  hub.requests.push(asked);
  hub.authorization.add(request.headers.authorization);
  if (hub.intercept(request, response, asked)) return undefined;
  const refuse = (code: string): unknown => response.writeHead(404, { "X-Error-Code": code }).end();
  if (!listed && name === undefined) return refuse("RepoNotFound");
  const { commit } = hub;
  if (!["main", commit].includes(listed?.[2] ?? revision ?? "")) return refuse("RevisionNotFound");
  if (listed) {
    const json =
      listed[1] === "tree"
        ? treeOf(hub.files)
        : { id: "org/x", sha: commit, siblings: siblingsOf(hub.files) };
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(json));
  }
  const content = hub.files[name!];
  response.setHeader("X-Repo-Commit", commit);
  if (!content) return refuse("EntryNotFound");
  const etag = `"${etagOf(name!, content)}"`;
  response.setHeader("ETag", etag);
  if (isLarge(name!)) {
    response.setHeader("X-Linked-Etag", etag);
    response.setHeader("X-Linked-Size", content.length);
  }
  return sendRange(request, response, content);
}

function sendRange({ headers, method }: IncomingMessage, response: ServerResponse, content: Buffer): void {
  const start = Number(headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
  if (start > 0 && start >= content.length) return void response.writeHead(416).end();
  const last = content.length - 1;
  response.setHeader("content-length", content.length - start);
  if (start > 0) response.writeHead(206, { "content-range": `bytes ${start}-${last}/${content.length}` });
  response.end(method === "HEAD" ? undefined : content.subarray(start));
}

/** Another answer to all requests for something. */
export const instead =
  (wanted: string, respond: (response: ServerResponse) => unknown): TestHub["intercept"] =>
  (_, response, asked) => {
    if (asked === wanted) respond(response);
    return asked === wanted;
  };

/** Surroundings in which nothing of a hub is on the machine, in a new folder inside `base`. */
export function newHubHome(base: string, { url }: Pick<TestHub, "url">) {
  const home = mkdtempSync(join(base, "home-"));
  return { HF_ENDPOINT: url, LLAVA_HOME: join(home, "llava"), HF_HOME: join(home, "huggingface") };
}

/** Answers with bytes after which the connection ends, whatever was promised. */
export function cut(response: ServerResponse, bytes: Buffer): void {
  response.flushHeaders();
  response.write(bytes, () => response.socket?.end());
}

function siblingsOf(files: HubFiles): object[] {
  return Object.entries(files).map(([rfilename, content]) => ({
    rfilename,
    size: content.length,
    blobId: gitHash(content),
    ...(isLarge(rfilename) && { lfs: { size: content.length, sha256: sha256(content), pointerSize: 135 } }),
  }));
}

function treeOf(files: HubFiles): object[] {
  return Object.entries(files).map(([path, content]) => ({
    type: "file",
    path,
    size: content.length,
    oid: gitHash(content),
    ...(isLarge(path) && { lfs: { size: content.length, oid: sha256(content), pointerSize: 135 } }),
  }));
}
