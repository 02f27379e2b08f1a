import type { IncomingMessage } from "node:http";
import { LlavaError } from "../errors.ts";
import {
  type ChatModel,
  type FinishReason,
  type GenerationRequest,
  noUsage,
  type StreamPart,
  type Usage,
} from "../protocol/index.ts";
import { Slots } from "../slots.ts";
import { readChunk, readCompletion } from "./completion.ts";
import { EndpointError, statusError } from "./endpoint-error.ts";
import { authorization, completionsUrl, type EndpointModelOptions } from "./endpoint-options.ts";
import { eventData } from "./event-stream.ts";
import { post } from "./post.ts";
import { completionBody } from "./request-body.ts";

/** The longest body of an answer that is read. */
const maxBodyBytes = 64 * 2 ** 20;

/** A model behind an endpoint that speaks OpenAI's chat completions: SGLang, vLLM, llama.cpp, OpenAI. */
export class EndpointModel implements ChatModel {
  readonly id: string;
  /** The address that is asked. */
  readonly url: string;
  readonly #options: EndpointModelOptions;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #slots: Slots;

  /** @throws LlavaError "usage" for an address that is none */
  constructor(options: EndpointModelOptions) {
    this.id = options.model;
    this.url = completionsUrl(options.url);
    this.#options = options;
    this.#slots = new Slots(options.concurrency ?? Number.POSITIVE_INFINITY);
    this.#headers = { "content-type": "application/json", ...authorization(options) };
  }

  /** @throws EndpointError "network" for a request without an answer; LlavaError "image" before anything is sent */
  async *generate({ messages, sampling = {}, signal }: GenerationRequest): AsyncGenerator<StreamPart> {
    const { stream = false, timeoutMs = 600_000 } = this.#options;
    const body = JSON.stringify({
      ...(await completionBody({ messages, sampling }, this.#options)),
      ...(stream && { stream, stream_options: { include_usage: true } }),
    });
    using slot = await this.#slots.take(signal);
    using deadline = new Deadline(timeoutMs, signal);
    let reason: FinishReason | undefined;
    let isRefusal = false;
    let usage: Usage | undefined;
    let served: string | undefined;
    try {
      deadline.signal.throwIfAborted();
      const response = await post(this.url, this.#headers, body, deadline.signal);
      const { statusCode: status = 0, headers } = response;
      if (status < 200 || status > 299) {
        const text = await readText(response).catch(() => "");
        throw statusError(this.url, { status, headers }, text, Date.now());
      }
      // Endpoints that cannot stream answer in one piece.
      const streams = stream && /event-stream/.test(headers["content-type"] ?? "");
      for await (const part of streams ? this.#events(response, deadline) : this.#whole(response, slot)) {
        if (part.text !== "") yield { type: "text-delta", text: part.text };
        reason = part.reason ?? reason;
        isRefusal ||= part.isRefusal;
        usage = part.usage ?? usage;
        served = part.model ?? served;
      }
      if (reason === undefined) throw this.#cut(undefined);
      if (isRefusal) reason = "refused";
    } catch (error) {
      if (signal?.aborted) reason = "aborted";
      else if (error instanceof LlavaError) throw error;
      else if (deadline.signal.aborted)
        throw new EndpointError(`${this.url} did not answer within ${timeoutMs / 1000} s`, {
          retryable: true,
          cause: error,
        });
      else throw this.#cut(error);
    }
    yield { type: "finish", reason, usage: usage ?? noUsage, ...(served !== undefined && { model: served }) };
  }

  async *#whole(response: IncomingMessage, slot: Disposable) {
    const text = await readText(response);
    slot[Symbol.dispose](); // the next request leaves before this answer is looked at
    yield readCompletion(text, this.url);
  }

  async *#events(response: IncomingMessage, deadline: Deadline) {
    for await (const data of eventData(response)) {
      if (data.trim() === "[DONE]") return;
      deadline.restart();
      yield readChunk(data, this.url);
    }
  }

  /** For an answer that broke off, or a connection that never was. */
  #cut(cause: unknown): EndpointError {
    const { code, message = "the stream ended before the answer did" } = (cause ??
      {}) as NodeJS.ErrnoException;
    return new EndpointError(`${this.url}: connection failed: ${code ?? message}`, {
      retryable: true,
      mayBeBilled: !["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH"].includes(code ?? ""),
      hint: code === "ECONNREFUSED" ? "Check that the server is running at this address." : undefined,
      cause,
    });
  }
}

/** Aborts when the caller does, or when time has run out. */
class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #milliseconds: number;
  readonly #caller: AbortSignal | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number, caller: AbortSignal | undefined) {
    this.signal = this.#controller.signal;
    this.#milliseconds = milliseconds;
    this.#caller = caller;
    caller?.addEventListener("abort", this.#abort);
    if (caller?.aborted) this.#abort();
    this.restart();
  }

  readonly #abort = (): void => this.#controller.abort();

  restart(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#abort, this.#milliseconds);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#caller?.removeEventListener("abort", this.#abort);
  }
}

export async function readText(response: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response) {
    length += chunk.length;
    if (length > maxBodyBytes)
      throw new EndpointError(`the endpoint answered with more than ${maxBodyBytes} bytes`, {
        retryable: false,
      });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
