import { LlavaError } from "../../errors.ts";
import { ContextFullError, OverloadedError, PartError } from "../../protocol/index.ts";

/** The kinds of errors of OpenAI's protocol. */
type ApiErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "permission_error"
  | "not_found_error"
  | "rate_limit_error"
  | "server_error";

export interface ApiErrorOptions {
  readonly type?: ApiErrorType;
  /** The field at fault, as `messages[0].content[1].image_url`. */
  readonly param?: string | undefined;
  /** Seconds after which the same request may succeed. */
  readonly retryAfter?: number;
  /** Further fields of the error object. */
  readonly details?: Readonly<Record<string, number | string>>;
  readonly cause?: unknown;
}

/** What a client is told of a request that is not answered: `{"error": {message, type, param, code}}`. */
export class ApiError extends Error {
  /** Of the HTTP response. */
  readonly status: number;
  readonly code: string;
  readonly type: ApiErrorType;
  readonly param: string | undefined;
  readonly retryAfter: number | undefined;
  readonly #details: Readonly<Record<string, number | string>>;

  constructor(status: number, code: string, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.type = options.type ?? typeOf(status);
    this.param = options.param;
    this.retryAfter = options.retryAfter;
    this.#details = options.details ?? {};
  }

  body(): { readonly error: Readonly<Record<string, unknown>> } {
    const { message, type, param = null, code } = this;
    return { error: { message, type, param, code, ...this.#details } };
  }

  /** `x-should-retry` keeps OpenAI's clients from asking again where nothing would change. */
  headers(): Record<string, string> {
    if (this.retryAfter !== undefined) return { "retry-after": String(Math.ceil(this.retryAfter)) };
    return this.status >= 500 || this.status === 408 ? { "x-should-retry": "false" } : {};
  }
}

function typeOf(status: number): ApiErrorType {
  if (status === 401) return "authentication_error";
  if (status === 403) return "permission_error";
  if (status === 404) return "not_found_error";
  if (status === 429) return "rate_limit_error";
  return status >= 500 ? "server_error" : "invalid_request_error";
}

/** A field that is not as it must be. */
export const invalidField = (param: string, message: string, code = "invalid_value"): ApiError =>
  new ApiError(400, code, `${param}: ${message}`, { param });

/** The answer for whatever a request failed with. What nobody foresaw is told to the log alone. */
export function apiErrorOf(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof PartError) {
    const param = `messages[${error.messageIndex}].content[${error.partIndex}]`;
    return refusal(error, param);
  }
  if (error instanceof ContextFullError)
    return new ApiError(400, "context_length_exceeded", told(error), {
      param: "messages",
      details: { n_prompt_tokens: error.promptTokens, n_ctx: error.contextLength },
      cause: error,
    });
  if (error instanceof OverloadedError)
    return new ApiError(503, "queue_full", told(error), { retryAfter: error.retryAfter, cause: error });
  if (error instanceof LlavaError && error.code in refusals) return refusal(error, undefined);
  return new ApiError(500, "internal_error", "The server failed at this request; its log says at what.", {
    cause: error,
  });
}

/** What users can mend, by the kind of error that it is here. */
const refusals: Readonly<Record<string, readonly [status: number, code: string]>> = {
  image: [400, "image_decode_failed"],
  video: [400, "video_decode_failed"],
  network: [400, "image_fetch_failed"],
  prompt: [400, "invalid_prompt"],
  usage: [400, "invalid_value"],
  config: [400, "invalid_value"],
  setup: [501, "not_supported"],
};

function refusal(error: LlavaError, param: string | undefined): ApiError {
  const [status, code] = refusals[error.code] ?? [400, "invalid_value"];
  return new ApiError(status, code, told(error), { param, cause: error });
}

const told = ({ message, hint }: LlavaError): string => scrubbed(hint ? `${message}. ${hint}` : message);

/** A message without what tells of the machine: paths, network addresses, places in memory. */
export const scrubbed = (text: string): string =>
  text
    .replace(/(?<![\w:/.])(?:file:\/\/)?\/(?:[\w.@+-]+\/)+[\w.@+-]*/g, "…")
    .replace(/\b0x[0-9a-f]{4,}\b/gi, "…")
    .replace(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g, "…")
    .replace(/\b(?:[0-9a-f]{0,4}:){3,}[0-9a-f:]*/gi, "…")
    .slice(0, 1000);
