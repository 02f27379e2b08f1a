import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { LlavaError } from "../../errors.ts";
import {
  loopbackNames,
  type PageFiles,
  pageHeaders,
  readPageFiles,
  requireOwnOrigin,
  targetOf,
} from "../../serving/http/index.ts";
import { DecisionFile } from "./decision-file.ts";
import { parseDecision } from "./decisions.ts";
import { queueOf, reasons } from "./queue.ts";
import { type BuildFiles, type ReviewTask, readTasks } from "./tasks.ts";

export interface ReviewOptions {
  readonly reviewer: string;
  /** Whether this reviewer settles what others disagree about. */
  readonly settles: boolean;
  /** 0 takes a free one. */
  readonly port: number;
}

/** More than any decision is long. */
const mostBytes = 1 << 20;

/** The page on which a reviewer looks at chosen questions, on this machine alone. Each decision is on the disk when it is answered. */
export class ReviewServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #files: BuildFiles;
  readonly #tasks: readonly ReviewTask[];
  readonly #decisions: DecisionFile;
  readonly #options: ReviewOptions;
  readonly #page: PageFiles = readPageFiles(new URL("./page/", import.meta.url), []);

  private constructor(files: BuildFiles, tasks: readonly ReviewTask[], options: ReviewOptions) {
    this.#files = files;
    this.#tasks = tasks;
    this.#options = options;
    this.#decisions = new DecisionFile(files.decisions);
    this.#server = createServer((request, response) => void this.#take(request, response));
  }

  /** @throws LlavaError "data" for a folder without questions, "network" where the port is taken */
  static async listen(files: BuildFiles, options: ReviewOptions): Promise<ReviewServer> {
    const review = new ReviewServer(files, await readTasks(files), options);
    await new Promise<void>((resolve, reject) => {
      review.#server.once("error", (cause: NodeJS.ErrnoException) =>
        reject(
          new LlavaError("network", `cannot listen at 127.0.0.1:${options.port}: ${cause.code}`, {
            hint: "Another program listens there; --port 0 takes a free port.",
            cause,
          }),
        ),
      );
      review.#server.listen(options.port, "127.0.0.1", resolve);
    });
    return review;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  /** Questions before this reviewer, and how many of them are decided. */
  get progress(): { readonly decided: number; readonly of: number } {
    const queue = queueOf(this.#tasks, this.#decisions.decisions, this.#options);
    return { decided: queue.filter(({ own }) => own !== undefined).length, of: queue.length };
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = targetOf(request);
    try {
      requireOwnOrigin(request, { hosts: loopbackNames, origins: [] });
      if (request.method === "POST" && pathname === "/decisions") await this.#decide(request, response);
      else if (request.method !== "GET") send(response, 405, "text/plain", "GET or POST /decisions");
      else if (pathname === "/tasks") this.#sendTasks(response);
      else if (pathname.startsWith("/images/")) this.#sendImage(response, pathname.slice("/images/".length));
      else this.#sendPage(response, pathname);
    } catch (error) {
      const { status, message } = error as Error & { status?: number };
      send(response, status ?? (error instanceof LlavaError ? 400 : 500), "text/plain", message);
    }
  }

  #sendPage(response: ServerResponse, pathname: string): void {
    const file = this.#page.get(pathname === "/" ? "index.html" : pathname.replace(/^\/page\//, ""));
    if (file === undefined) send(response, 404, "text/plain", "There is no such page.");
    else send(response, 200, file.type, file.bytes);
  }

  #sendTasks(response: ServerResponse): void {
    const tasks = queueOf(this.#tasks, this.#decisions.decisions, this.#options);
    const queue = { reviewer: this.#options.reviewer, reasons, tasks };
    send(response, 200, "application/json", JSON.stringify(queue));
  }

  #sendImage(response: ServerResponse, name: string): void {
    if (!this.#tasks.some(({ image }) => image === name)) {
      send(response, 404, "text/plain", "There is no such image.");
      return;
    }
    const type = name.endsWith(".png") ? "image/png" : "image/jpeg";
    const image = createReadStream(join(this.#files.images, name));
    image.once("error", ({ message }) => send(response, 404, "text/plain", message));
    image.once("open", () => {
      response.writeHead(200, { "content-type": type, ...pageHeaders });
      image.pipe(response);
    });
  }

  async #decide(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!/^application\/json\b/.test(request.headers["content-type"] ?? ""))
      return send(response, 415, "text/plain", "A decision is JSON.");
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > mostBytes) return send(response, 413, "text/plain", "That is too long for a decision.");
      chunks.push(chunk);
    }
    const { reviewer, settles } = this.#options;
    const decision = parseDecision(
      { ...parsed(chunks), reviewer, ...(settles && { settles }), at: new Date().toISOString() },
      "the decision",
    );
    const task = this.#tasks.find(({ id }) => id === decision.id);
    if (task === undefined) return send(response, 404, "text/plain", "There is no such question.");
    if (task.question !== decision.before.question || task.reference !== decision.before.reference)
      return send(response, 409, "text/plain", "The question has changed; load the page again.");
    this.#decisions.append(decision);
    send(response, 200, "application/json", "{}");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    this.#decisions[Symbol.dispose]();
  }
}

function parsed(chunks: readonly Buffer[]): object {
  try {
    return Object(JSON.parse(Buffer.concat(chunks).toString()));
  } catch (cause) {
    throw new LlavaError("data", `the decision is no JSON: ${(cause as Error).message}`, { cause });
  }
}

function send(response: ServerResponse, status: number, type: string, body: string | Uint8Array): void {
  if (response.headersSent) return void response.destroy();
  response
    .writeHead(status, { "content-type": type, "x-content-type-options": "nosniff", ...pageHeaders })
    .end(body);
}
