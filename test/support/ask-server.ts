import { type IncomingHttpHeaders, request as send } from "node:http";
import { after } from "node:test";
import type { ServedModel } from "../../src/protocol/index.ts";
import { HttpServer, type ServerOptions } from "../../src/serving/http/index.ts";
import { FakeServedModel } from "./fake-served-model.ts";

/** A server on a free port that ends with the tests around the call. */
export async function openServer<Model extends ServedModel = FakeServedModel>(
  options: ServerOptions = {},
  model: Model = new FakeServedModel() as ServedModel as Model,
): Promise<{ server: HttpServer; model: Model; url: string; lines: string[] }> {
  const lines: string[] = [];
  const server = await HttpServer.listen({ port: 0, log: (line) => lines.push(line), ...options });
  after(() => server[Symbol.asyncDispose]());
  await server.add(model.id, model);
  return { server, model, url: server.url, lines };
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they were sent
  readonly body: any;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  readonly body?: unknown;
}

/** One request, with any headers, as a client without opinions sends it. */
export function ask(url: string, { method, headers = {}, body }: Asked = {}): Promise<Answered> {
  const bytes =
    body === undefined
      ? undefined
      : typeof body === "string" || body instanceof Uint8Array
        ? body
        : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = send(url, {
      method: method ?? (bytes === undefined ? "GET" : "POST"),
      agent: false,
      headers,
    });
    request.on("error", reject);
    request.on("response", async (response) => {
      const chunks: Uint8Array[] = [];
      try {
        for await (const chunk of response) chunks.push(chunk);
      } catch (error) {
        return reject(error);
      }
      const text = Buffer.concat(chunks).toString();
      const isJson = response.headers["content-type"]?.startsWith("application/json");
      resolve({
        status: response.statusCode!,
        headers: response.headers,
        text,
        body: isJson ? JSON.parse(text) : undefined,
      });
    });
    request.end(bytes);
  });
}

// biome-ignore lint/suspicious/noExplicitAny: tests read what they were sent
export const eventsOf = (text: string): any[] =>
  text
    .split("\n\n")
    .flatMap((event) => event.split("\n").filter((line) => line.startsWith("data: ")))
    .map((line) => line.slice(6))
    .filter((data) => data !== "[DONE]")
    .map((data) => JSON.parse(data));
