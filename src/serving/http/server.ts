import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { LlavaError } from "../../errors.ts";
import type { ServedModel } from "../../protocol/index.ts";
import { ApiError } from "./api-error.ts";
import { Exchange } from "./exchange.ts";
import { Keys } from "./guard/keys.ts";
import { corsHeaders, loopbackNames, type OriginRules, requireOwnOrigin } from "./guard/origin.ts";
import { Totals } from "./guard/totals.ts";
import { legacyRoutes, workerStatus } from "./legacy/index.ts";
import { keepRegistered } from "./legacy/registration.ts";
import { defaultLimits, type ServerLimits } from "./limits.ts";
import { Fetcher } from "./media/fetcher.ts";
import { ServerMetrics } from "./metrics/server-metrics.ts";
import { ModelSet } from "./model-set.ts";
import { isPage, type PageFiles, sendPage } from "./page.ts";
import { ownerHeader } from "./replicas/forward.ts";
import { logLine, type WriteLine } from "./request-log.ts";
import { type Route, routesOf } from "./routes/index.ts";
import type { Handler, Service } from "./service.ts";

export interface ServerOptions {
  /** Address to listen at; 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free one; 8000. */
  readonly port?: number;
  /** Any of them opens the server; without any it is open. */
  readonly keys?: readonly string[];
  /** Names besides loopback's own under which it may be asked. Where it listens wider, any name without these. */
  readonly allowedHosts?: readonly string[];
  readonly allowedOrigins?: readonly string[];
  readonly limits?: Partial<ServerLimits>;
  /** Also fetches images from private addresses. */
  readonly allowPrivate?: boolean;
  readonly page?: PageFiles;
  /** Also speaks the original LLaVA's protocol, as worker and controller. */
  readonly isLegacy?: boolean;
  /** Answers in the place of this server's own models. */
  readonly forward?: Handler;
  /** Whether those who ask are believed whose requests they forward. */
  readonly isReplica?: boolean;
  /** Takes a line of JSON for each request. */
  readonly log?: WriteLine;
  readonly logsContent?: boolean;
}

/** OpenAI's API over HTTP, before any served model. */
export class HttpServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #service: Service;
  readonly #metrics: ServerMetrics;
  readonly #totals: Totals;
  readonly #keys: Keys;
  readonly #origins: OriginRules;
  readonly #options: ServerOptions;
  readonly #open = new Set<Exchange>();
  readonly #more: readonly Route[];
  #isDraining = false;

  private constructor(options: ServerOptions) {
    const limits = { ...defaultLimits, ...options.limits };
    const {
      host = "127.0.0.1",
      keys = [],
      allowedHosts,
      allowedOrigins = [],
      allowPrivate = false,
    } = options;
    const models = new ModelSet();
    this.#more = options.isLegacy ? legacyRoutes() : [];
    this.#options = options;
    this.#metrics = new ServerMetrics(models);
    this.#totals = new Totals(limits);
    this.#keys = new Keys(keys);
    const isLoopback = host === "localhost" || host === "::1" || /^127\./.test(host);
    const hosts = isLoopback || allowedHosts ? [...loopbackNames, ...(allowedHosts ?? [])] : undefined;
    this.#origins = { hosts, origins: allowedOrigins };
    const fetcher = new Fetcher(limits, allowPrivate);
    this.#service = {
      models,
      limits,
      fetcher,
      metrics: this.#metrics,
      needsKey: keys.length > 0,
      logsContent: options.logsContent ?? false,
    };
    this.#server = createServer({
      headersTimeout: limits.headerSeconds * 1000,
      requestTimeout: limits.bodySeconds * 1000,
      connectionsCheckingInterval: 1000,
      keepAliveTimeout: 65_000,
      maxHeaderSize: 16 * 1024,
    });
    this.#server.maxConnections = limits.connections;
    const take = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#take(request, response).catch(() => response.destroy());
    // A body is asked for when it is read (see `readBody`).
    this.#server.on("request", take).on("checkContinue", take);
    this.#server.on("clientError", refuseMalformed);
  }

  /** @throws LlavaError "network" where the address cannot be listened at */
  static async listen(options: ServerOptions = {}): Promise<HttpServer> {
    const { host = "127.0.0.1", port = 8000 } = options;
    const server = new HttpServer(options);
    await new Promise<void>((resolve, reject) => {
      server.#server.once("error", (cause: NodeJS.ErrnoException) => {
        const hint =
          cause.code === "EADDRINUSE"
            ? "Another program listens there; --port 0 takes a free port."
            : "Check --host and --port.";
        reject(new LlavaError("network", `cannot listen at ${host}:${port}: ${cause.code}`, { hint, cause }));
      });
      server.#server.listen(port, host, resolve);
    });
    return server;
  }

  /** Without a slash at the end. */
  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  }

  /** Whether a step of a model takes longer than it may. */
  get isStuck(): boolean {
    return this.#service.models.isStuck(this.#service.limits.stepSeconds);
  }

  /** Has a controller of the original LLaVA know this server, at an address of which it reaches it, until the signal aborts. */
  keepRegistered(
    at: { readonly controller: string; readonly address?: string; readonly report: (line: string) => void },
    signal: AbortSignal,
  ): Promise<void> {
    return keepRegistered({ address: this.url, ...at, status: () => workerStatus(this.#service) }, signal);
  }

  /** Answers by a model when it is there, and says until then that it is being loaded. Rejects as `loading` does. */
  add(
    name: string,
    loading: Promise<ServedModel> | ServedModel,
    aliases: readonly string[] = [],
  ): Promise<void> {
    return this.#service.models.add(name, aliases, Promise.resolve(loading));
  }

  /**
   * Takes no more connections, tells what waits that it is not answered, and lets what runs end.
   * @param graceMs after which that is stopped too
   */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    for (const exchange of this.#open) if (!exchange.isRunning) exchange.stop(stopping());
    const timer = setTimeout(() => {
      for (const exchange of this.#open) exchange.stop(stopping());
      setTimeout(() => this.#server.closeAllConnections(), 1000).unref();
    }, graceMs);
    await closed;
    clearTimeout(timer);
    this.#metrics[Symbol.dispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#server.listening ? this.drain(0) : Promise.resolve();
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const started = performance.now();
    using exchange = new Exchange(request, response, this.#service.limits, this.#totals.open());
    const { pathname } = exchange.url;
    const routes = routesOf(pathname, this.#more);
    const isOfPage = isPage(pathname);
    const name = routes[0]?.name ?? (isOfPage ? "page" : "unknown");
    this.#open.add(exchange);
    try {
      await this.#answer(exchange, routes, isOfPage);
    } catch (error) {
      exchange.fail(error);
    } finally {
      this.#open.delete(exchange);
      // A request that is not read to its end would be taken for the next one.
      if (!request.complete) request.resume();
      if (this.#isDraining && response.writableFinished) request.socket.end();
    }
    const status = response.headersSent ? response.statusCode : 499;
    this.#metrics.httpRequest(name, status);
    const about = {
      id: exchange.id,
      method: request.method ?? "",
      route: name,
      status,
      milliseconds: Math.round(performance.now() - started),
    };
    // Those that ask whether it is well ask all the time.
    if (!(routes[0]?.isOpen && status < 500)) this.#options.log?.(logLine(about, exchange.record));
  }

  async #answer(exchange: Exchange, routes: readonly Route[], isOfPage: boolean): Promise<void> {
    const { request, response } = exchange;
    const method = request.method === "HEAD" ? "GET" : request.method;
    if (this.#isDraining) throw stopping();
    requireOwnOrigin(request, this.#origins);
    for (const [header, value] of Object.entries(corsHeaders(request, this.#origins)))
      response.setHeader(header, value);
    if (method === "OPTIONS") return exchange.send(204, "", {});
    const route = routes.find((each) => each.method === method);
    if (isOfPage && method === "GET") return sendPage(exchange, this.#options.page ?? new Map());
    if (route?.isOpen !== true) exchange.owner = this.#keys.ownerOf(request);
    if (this.#options.isReplica) exchange.owner = String(request.headers[ownerHeader] ?? exchange.owner);
    const { forward } = this.#options;
    if (route !== undefined) return await (forward ?? route.handle)(exchange, this.#service);
    if (routes.length === 0)
      throw new ApiError(
        404,
        "not_found",
        "There is nothing under this path; GET /openapi.json tells what there is.",
      );
    response.setHeader("allow", routes.map((each) => each.method).join(", "));
    throw new ApiError(
      405,
      "method_not_allowed",
      `This path takes ${routes.map((each) => each.method).join(" and ")}.`,
    );
  }
}

/** Seconds after which another process is likely to answer. */
const RESTART = 5;

const stopping = (): ApiError =>
  new ApiError(503, "shutting_down", "The server is being stopped.", { retryAfter: RESTART });

/** What is no HTTP, or comes too slowly to be one request. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) return void socket.destroy();
  const isSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const isLarge = error.code === "HPE_HEADER_OVERFLOW";
  const told = isSlow
    ? new ApiError(408, "request_too_slow", "The request did not arrive in time.")
    : isLarge
      ? new ApiError(431, "headers_too_large", "The head of the request is too large.")
      : new ApiError(400, "invalid_http", "The request is no HTTP.");
  const body = JSON.stringify(told.body());
  socket.end(
    `HTTP/1.1 ${told.status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
