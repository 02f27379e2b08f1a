import { Agent, type IncomingMessage, request as send } from "node:http";
import { ApiError } from "../api-error.ts";
import type { Exchange } from "../exchange.ts";
import { writePatiently } from "../patient-write.ts";
import type { Handler } from "../service.ts";
import { affinityOf } from "./affinity.ts";
import { joinedMetrics } from "./joined-metrics.ts";
import type { Replica, ReplicaSet } from "./replica-set.ts";

/** Tells a replica whose request it is. */
export const ownerHeader = "x-llava-owner";

/** Of a replica's answer, what goes on to the client. */
const passed = [
  "content-type",
  "content-length",
  "cache-control",
  "retry-after",
  "x-should-retry",
  "x-accel-buffering",
  "allow",
];

const agent = new Agent({ keepAlive: true, timeout: 4000 });

/** Has one of several processes answer: the one that has the request's images and beginning in its cache. */
export const forwardTo =
  (replicas: ReplicaSet): Handler =>
  async (exchange, { limits }) => {
    const { pathname } = exchange.url;
    if (pathname === "/health") return health(exchange, replicas);
    if (pathname === "/live") return live(exchange, replicas);
    if (pathname === "/metrics") return await metrics(exchange, replicas);
    const isPost = exchange.request.method === "POST";
    const body = isPost ? await exchange.bytes() : undefined;
    const affinity = body === undefined ? "" : affinityOf(exchange.parsed(body));
    let failure: unknown;
    for (const replica of replicas.inOrder(affinity)) {
      exchange.record.replica = replica.index;
      replica.underWay++;
      try {
        return await answerBy(replica, exchange, body, limits.readerSeconds);
      } catch (error) {
        // What has begun to answer cannot be asked of another.
        if (exchange.response.headersSent || exchange.signal.aborted || error instanceof ApiError)
          throw error;
        failure = error;
      } finally {
        replica.underWay--;
      }
    }
    throw new ApiError(503, "replica_failed", "No process answers.", { retryAfter: 1, cause: failure });
  };

async function answerBy(
  replica: Replica,
  exchange: Exchange,
  body: Buffer | undefined,
  readerSeconds: number,
): Promise<void> {
  // It has its own way to end what waits there, and tells by its answer.
  exchange.isRunning = true;
  const answer = await ask(replica, exchange, body);
  const headers = Object.fromEntries(
    passed.flatMap((name) => (answer.headers[name] ? [[name, answer.headers[name]]] : [])),
  );
  exchange.response.writeHead(answer.statusCode ?? 502, headers);
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>)
      await writePatiently(exchange, chunk, readerSeconds);
    exchange.response.end();
  } catch (error) {
    // A cut answer must not look like a whole one.
    exchange.response.destroy();
    throw error;
  }
}

function ask(
  { url, key }: Replica,
  { request, url: { pathname, search }, owner, signal }: Exchange,
  body: Buffer | undefined,
): Promise<IncomingMessage> {
  const headers = {
    authorization: `Bearer ${key}`,
    [ownerHeader]: owner,
    ...(body && { "content-type": "application/json", "content-length": String(body.length) }),
  };
  return new Promise((resolve, reject) => {
    const asked = send(
      `${url}${pathname}${search}`,
      { method: request.method ?? "GET", agent, headers, signal },
      resolve,
    );
    asked.on("error", reject);
    asked.end(body);
  });
}

function health(exchange: Exchange, replicas: ReplicaSet): void {
  const { started, wellOff, all } = replicas;
  const status = started.length === 0 ? "loading" : wellOff.length === 0 ? "stuck" : "ok";
  exchange.json(status === "ok" ? 200 : 503, { status, replicas: all.length, started: wellOff.length });
}

function live(exchange: Exchange, { started, wellOff }: ReplicaSet): void {
  const isStuck = started.length > 0 && wellOff.length === 0;
  exchange.json(isStuck ? 503 : 200, { status: isStuck ? "stuck" : "ok" });
}

async function metrics(exchange: Exchange, replicas: ReplicaSet): Promise<void> {
  const texts = await Promise.all(
    replicas.wellOff.map(async ({ url, key, index }) => {
      const response = await fetch(`${url}/metrics`, {
        headers: { authorization: `Bearer ${key}` },
        signal: exchange.signal,
      }).catch(() => undefined);
      return { replica: String(index), text: response?.ok ? await response.text() : "" };
    }),
  );
  exchange.send(200, joinedMetrics(texts), { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
}
