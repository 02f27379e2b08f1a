import { LlavaError } from "../errors.ts";

export interface EndpointModelOptions {
  /** "http://localhost:8000", ".../v1" or the whole address of the chat completions. */
  readonly url: string;
  /** The model's name at the endpoint. */
  readonly model: string;
  /** Sent as a bearer token. Without it, the value of the environment variable is. */
  readonly apiKey?: string | undefined;
  /** "OPENAI_API_KEY" if left out. */
  readonly apiKeyVariable?: string | undefined;
  /** Whether answers come as server-sent events, token by token. */
  readonly stream?: boolean;
  /** Milliseconds for the whole answer; in a stream, for each event. 600,000 if left out. */
  readonly timeoutMs?: number;
  /** Largest image in bytes; 20 MiB. */
  readonly maxImageBytes?: number;
  /** Newer models of OpenAI want "max_completion_tokens". */
  readonly tokenLimitField?: "max_tokens" | "max_completion_tokens";
  /** Further fields of the request's body, such as `response_format`. */
  readonly extraBody?: Readonly<Record<string, unknown>>;
  /** Requests under way at most; further ones wait with their body ready, without their time running. Any number if left out. */
  readonly concurrency?: number;
}

/** The header with the key, where there is one. */
export function authorization({
  apiKey,
  apiKeyVariable = "OPENAI_API_KEY",
}: EndpointModelOptions): Record<string, string> {
  const key = apiKey ?? process.env[apiKeyVariable];
  return key ? { authorization: `Bearer ${key}` } : {};
}

/** @throws LlavaError "usage" */
export function completionsUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "")
    throw new LlavaError("usage", `${JSON.stringify(text)} is not the address of an endpoint`, {
      hint: "Give one such as http://localhost:8000/v1; keys go into an environment variable.",
    });
  const path = url.pathname.replace(/\/+$/, "");
  if (!path.endsWith("/chat/completions")) url.pathname = `${path || "/v1"}/chat/completions`;
  return url.href;
}
