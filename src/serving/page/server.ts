import type { WireMessage } from "./conversation.ts";

export interface Model {
  readonly id: string;
  readonly max_model_len?: number;
}

/** How a picture was cut, where the server tells. */
export interface PictureTokens {
  readonly tokens: number;
  readonly columns?: number;
  readonly rows?: number;
}

export interface Counted {
  readonly count: number;
  readonly max_model_len: number;
  readonly image_tokens?: number;
  readonly images?: readonly PictureTokens[];
}

export interface AskOptions {
  readonly model: string;
  readonly messages: readonly WireMessage[];
  readonly temperature: number;
  readonly maxTokens: number | undefined;
  readonly signal: AbortSignal;
}

/** The server wants a key, or another one. */
export class KeyNeeded extends Error {}

const KEY = "key";

export const keepKey = (key: string): void => sessionStorage.setItem(KEY, key);

async function request(path: string, body?: object, signal?: AbortSignal): Promise<Response> {
  const key = sessionStorage.getItem(KEY);
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers: {
      ...(body !== undefined && { "content-type": "application/json" }),
      ...(key !== null && { authorization: `Bearer ${key}` }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(signal && { signal }),
  });
  if (response.ok) return response;
  const told = await response.json().catch(() => undefined);
  const message = told?.error?.message ?? `${response.status} ${response.statusText}`;
  throw response.status === 401 ? new KeyNeeded(message) : new Error(message);
}

export async function models(): Promise<Model[]> {
  return (await (await request("/v1/models")).json()).data;
}

export async function countTokens(model: string, messages: readonly WireMessage[]): Promise<Counted> {
  return await (await request("/tokenize", { model, messages })).json();
}

/** Streams an answer; returns why it ended. */
export async function ask(
  { model, messages, temperature, maxTokens, signal }: AskOptions,
  onText: (text: string) => void,
): Promise<string> {
  const body = { model, messages, temperature, stream: true, ...(maxTokens && { max_tokens: maxTokens }) };
  const response = await request("/v1/chat/completions", body, signal);
  let reason = "";
  for await (const data of events(response.body!)) {
    if (data === "[DONE]") break;
    const chunk = JSON.parse(data);
    if (chunk.error) throw new Error(chunk.error.message);
    const choice = chunk.choices?.[0];
    if (choice?.delta?.content) onText(choice.delta.content);
    reason = choice?.finish_reason ?? reason;
  }
  if (reason === "") throw new Error("the server ended the answer early");
  return reason;
}

/** The data of server-sent events. */
async function* events(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop()!;
      for (const line of lines) if (line.startsWith("data: ")) yield line.slice("data: ".length).trimEnd();
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
