import { randomBytes } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError, apiErrorOf, scrubbed } from "./api-error.ts";
import { jsonObject, readBody } from "./guard/body.ts";
import type { Holding } from "./guard/totals.ts";
import type { ServerLimits } from "./limits.ts";
import type { RequestRecord } from "./request-log.ts";
import { targetOf } from "./request-target.ts";

/** One request and its answer. */
export class Exchange implements Disposable {
  readonly id = randomBytes(12).toString("hex");
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly holding: Holding;
  /** What the log will say of it. */
  readonly record: RequestRecord = {};
  /** Whose it is (see `Keys`). */
  owner = "";
  /** Whether a model reads or answers it, rather than it waiting for its turn. */
  isRunning = false;
  readonly #limits: ServerLimits;
  readonly #controller = new AbortController();

  constructor(request: IncomingMessage, response: ServerResponse, limits: ServerLimits, holding: Holding) {
    this.request = request;
    this.response = response;
    this.holding = holding;
    this.#limits = limits;
    this.url = targetOf(request);
    response.once("close", () => {
      if (!response.writableFinished) this.stop(new ApiError(499, "client_closed", "The client has gone."));
    });
    // What is written to a client that has gone is told by "close".
    response.on("error", () => {});
    response.setHeader("x-request-id", this.id);
    response.setHeader("x-content-type-options", "nosniff");
  }

  /** Aborts when the client has gone, or the server stops. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Ends the work for it; its client, if it is still there, is told why. */
  stop(reason: ApiError): void {
    this.#controller.abort(reason);
  }

  /** The body as it came. */
  bytes(): Promise<Buffer> {
    return readBody(this.request, this.response, this.#limits, this.holding);
  }

  /** The JSON object that the body is. */
  async body(): Promise<Readonly<Record<string, unknown>>> {
    return this.parsed(await this.bytes());
  }

  parsed(bytes: Buffer): Readonly<Record<string, unknown>> {
    return jsonObject(bytes, this.#limits, this.holding);
  }

  send(status: number, body: string | Uint8Array, headers: Readonly<Record<string, string>>): void {
    const { response } = this;
    if (response.headersSent) return void response.destroy();
    response.writeHead(status, { ...headers, "content-length": String(Buffer.byteLength(body)) });
    response.end(this.request.method === "HEAD" ? undefined : body);
  }

  json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
    this.send(status, JSON.stringify(value), {
      "content-type": "application/json; charset=utf-8",
      ...headers,
    });
  }

  /** Tells client and log what went wrong; a stream that has begun tells its own client. */
  fail(error: unknown): ApiError {
    const { signal } = this;
    const told = apiErrorOf(signal.aborted ? signal.reason : error);
    this.record.error = told.code;
    if (told.status === 500 && told.cause instanceof Error) {
      this.record.cause = scrubbed(`${told.cause.name}: ${told.cause.message}`);
      if (process.env["LLAVA_DEBUG"] === "1") console.error(told.cause);
    }
    if (!this.response.headersSent && !this.response.destroyed)
      this.json(told.status, told.body(), told.headers());
    return told;
  }

  [Symbol.dispose](): void {
    this.holding[Symbol.dispose]();
  }
}
