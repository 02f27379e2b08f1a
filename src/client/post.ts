import * as http from "node:http";
import * as https from "node:https";

/**
 * Posts a body over a connection that is kept for the next request. Of Node's two clients this one has no time limits of
 * its own, and takes half the processor time of `fetch`.
 * @throws the connection's error, from here or from reading the response
 */
export async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  try {
    return await postOnce(url, headers, body, signal);
  } catch (error) {
    // A server may close an idle connection just when it is taken up again: it never saw the request.
    if (error instanceof StaleConnection) return await postOnce(url, headers, body, signal);
    throw error;
  }
}

class StaleConnection extends Error {}

function postOnce(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const { request, agent } = url.startsWith("https:")
    ? { request: https.request, agent: agents.https }
    : { request: http.request, agent: agents.http };
  return new Promise((resolve, reject) => {
    const length = Buffer.byteLength(body);
    const sent = request(url, {
      method: "POST",
      agent,
      signal,
      headers: { ...headers, accept: "application/json, text/event-stream", "content-length": length },
    });
    sent.on("response", resolve);
    sent.on("error", (cause: NodeJS.ErrnoException) => {
      const isStale = sent.reusedSocket && cause.code === "ECONNRESET" && !signal.aborted;
      reject(isStale ? new StaleConnection(cause.message, { cause }) : cause);
    });
    sent.end(body);
  });
}

/** Idle connections are closed before the five seconds after which many servers do so. */
const agents = {
  http: new http.Agent({ keepAlive: true, timeout: 4000 }),
  https: new https.Agent({ keepAlive: true, timeout: 4000 }),
};
