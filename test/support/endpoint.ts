import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { startServer, type TestServer } from "./server.ts";

/** What an endpoint was asked: the body of a chat completion. */
export interface AskedRequest {
  readonly headers: IncomingMessage["headers"];
  readonly body: {
    readonly model: string;
    // biome-ignore lint/suspicious/noExplicitAny: tests read what they sent
    readonly messages: readonly any[];
    readonly [field: string]: unknown;
  };
}

/** How an endpoint treats one request. */
export type Behaviour = (response: ServerResponse, request: AskedRequest) => void | Promise<void>;

export interface TestEndpoint extends TestServer {
  /** In the order of their arrival. */
  readonly asked: AskedRequest[];
}

/** A chat completions endpoint whose behaviour is chosen for each request by its order. */
export async function startEndpoint(
  choose: (index: number, request: AskedRequest) => Behaviour,
): Promise<TestEndpoint> {
  const asked: AskedRequest[] = [];
  const server = await startServer(async (request, response) => {
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // a client that gave up or was killed
    }
    const entry = { headers: request.headers, body: JSON.parse(Buffer.concat(chunks).toString()) };
    const behave = choose(asked.push(entry) - 1, entry);
    await behave(response, entry);
  });
  return { asked, url: server.url, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

export const completion = (text: string | null, finish = "stop") => ({
  choices: [{ index: 0, message: { role: "assistant", content: text }, finish_reason: finish }],
  usage: { prompt_tokens: 10, completion_tokens: 2, total_tokens: 12 },
});

export const json =
  (value: unknown, latencyMs = 0): Behaviour =>
  async (response) => {
    if (latencyMs > 0) await wait(latencyMs);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
  };

export const answer = (text: string, latencyMs = 0): Behaviour => json(completion(text), latencyMs);

export const status =
  (code: number, headers: Record<string, string> = {}, message = "refused"): Behaviour =>
  (response) =>
    void response.writeHead(code, headers).end(JSON.stringify({ error: { message } }));

export const body =
  (text: string, type = "application/json"): Behaviour =>
  (response) =>
    void response.writeHead(200, { "content-type": type }).end(text);

export const silence: Behaviour = () => {};

/** The connection ends in the middle of the headers. */
export const cutHeaders: Behaviour = (response) => {
  response.socket?.end("HTTP/1.1 200 OK\r\ncontent-ty");
};

/** The connection ends in the middle of the body. */
export const cutBody: Behaviour = (response) => {
  response.writeHead(200, { "content-type": "application/json", "content-length": "500" });
  response.write('{"choices": [{"mess', () => response.socket?.destroy());
};

/** Headers, and then nothing. */
export const stallBody: Behaviour = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.write('{"choices":');
};

/** Server-sent events, byte by byte so that characters and lines are cut anywhere. */
export const events =
  (deltas: readonly string[], { finish = true, eol = "\n" } = {}): Behaviour =>
  async (response) => {
    response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
    const lines = deltas.map((content) => JSON.stringify({ choices: [{ delta: { content } }] }));
    if (finish) {
      lines.push(JSON.stringify({ choices: [{ delta: {}, finish_reason: "stop" }] }));
      lines.push(
        JSON.stringify({ choices: [], usage: { prompt_tokens: 7, completion_tokens: 3 } }),
        "[DONE]",
      );
    }
    const bytes = Buffer.from(`: comment${eol}${lines.map((line) => `data: ${line}${eol}${eol}`).join("")}`);
    for (let start = 0; start < bytes.length; start += 3) {
      response.write(bytes.subarray(start, start + 3));
      if (start % 60 === 0) await wait(1);
    }
    response.end();
  };
