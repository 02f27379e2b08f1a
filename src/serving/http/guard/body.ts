import type { IncomingMessage, ServerResponse } from "node:http";
import { ApiError } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import { jsonShape } from "./json-shape.ts";
import type { Holding } from "./totals.ts";

/** Bytes and milliseconds for which the rest of a refused body is read away, so that its sender reads the answer. */
const LINGER_BYTES = 256 * 2 ** 20;
const LINGER_MS = 5000;

/**
 * A request's body. It is counted while it arrives, and what is too much is refused before it is there.
 * @throws ApiError 400, 413, 415, 503
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limits: ServerLimits,
  holding: Holding,
): Promise<Buffer> {
  const encoding = request.headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw new ApiError(415, "unsupported_encoding", "A body is sent as it is, without Content-Encoding.");
  // curl says that what it sends is a form, unless it is told otherwise.
  const type = request.headers["content-type"];
  if (
    type !== undefined &&
    !/^(application\/(([\w.+-]+\+)?json|x-www-form-urlencoded)|text\/plain)\s*(;|$)/i.test(type)
  )
    throw new ApiError(415, "unsupported_media_type", "A body is JSON, with Content-Type: application/json.");
  return await receive(request, response, limits.bodyBytes, holding);
}

/** The JSON object that a body is, unless it would come to too much. @throws ApiError 400, 413, 503 */
export function jsonObject(
  bytes: Buffer,
  limits: ServerLimits,
  holding: Holding,
): Readonly<Record<string, unknown>> {
  const { nodes, depth } = jsonShape(bytes);
  if (depth > limits.jsonDepth)
    throw new ApiError(
      400,
      "json_too_deep",
      `The body has ${depth} levels of lists and objects; at most ${limits.jsonDepth} are read.`,
    );
  if (nodes > limits.jsonNodes)
    throw new ApiError(
      413,
      "json_too_large",
      `The body has ${nodes} values; at most ${limits.jsonNodes} are read.`,
    );
  holding.take("nodes", nodes);
  const value = parsed(bytes);
  if (typeof value === "object" && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new ApiError(400, "invalid_json", "The body is no JSON object.");
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    // The parser's own message quotes the text.
    const what = cause instanceof SyntaxError ? "no JSON" : "no UTF-8";
    throw new ApiError(400, "invalid_json", `The body is ${what}.`, { cause });
  }
}

function receive(
  request: IncomingMessage,
  response: ServerResponse,
  most: number,
  holding: Holding,
): Promise<Buffer> {
  const tooLarge = (): ApiError =>
    new ApiError(413, "request_too_large", `The body is larger than ${most} bytes, which is the limit.`);
  if (Number(request.headers["content-length"] ?? 0) > most) {
    readAway(request);
    return Promise.reject(tooLarge());
  }
  if (/100-continue/i.test(request.headers.expect ?? "")) response.writeContinue();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const refuse = (error: unknown): void => {
      request.off("data", take);
      readAway(request);
      reject(error);
    };
    const take = (chunk: Buffer): void => {
      received += chunk.length;
      try {
        if (received > most) throw tooLarge();
        holding.take("bytes", chunk.length);
        chunks.push(chunk);
      } catch (error) {
        refuse(error);
      }
    };
    request.on("data", take);
    request.once("end", () => resolve(Buffer.concat(chunks)));
    request.once("close", () =>
      reject(new ApiError(400, "body_cut_short", "The body ended before its end.")),
    );
    request.once("error", (cause) =>
      reject(new ApiError(400, "body_cut_short", "The body ended before its end.", { cause })),
    );
  });
}

/** A connection that is closed with bytes unread is reset, and its answer lost with it. */
function readAway(request: IncomingMessage): void {
  let rest = LINGER_BYTES;
  const timer = setTimeout(() => request.destroy(), LINGER_MS).unref();
  request.on("data", (chunk: Buffer) => {
    rest -= chunk.length;
    if (rest < 0) request.destroy();
  });
  request.once("close", () => clearTimeout(timer));
  request.resume();
}
