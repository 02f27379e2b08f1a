import type { IncomingHttpHeaders } from "node:http";
import { LlavaError } from "../errors.ts";

export interface EndpointFailure {
  /** Status of the HTTP response, where there was one. */
  readonly status?: number | undefined;
  /** How long the endpoint asks to be left alone. */
  readonly retryAfterMs?: number | undefined;
  /** Whether the same request may succeed later. */
  readonly retryable: boolean;
  /** Whether every other request will fail alike: a wrong key, an unknown model. */
  readonly fatal?: boolean;
  /** Whether the endpoint may have generated something all the same, which it then charges for; true if left out. */
  readonly mayBeBilled?: boolean;
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** A request that an endpoint did not answer, with what a caller needs to decide whether to ask again. */
export class EndpointError extends LlavaError {
  readonly status: number | undefined;
  readonly retryAfterMs: number | undefined;
  readonly retryable: boolean;
  readonly fatal: boolean;
  readonly mayBeBilled: boolean;

  constructor(message: string, failure: EndpointFailure) {
    const { status, retryAfterMs, retryable, fatal, mayBeBilled, hint, cause } = failure;
    super("network", message, { ...(hint && { hint }), cause });
    this.name = "EndpointError";
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.retryable = retryable;
    this.fatal = fatal ?? false;
    this.mayBeBilled = mayBeBilled ?? true;
  }
}

/** What an HTTP response other than 2xx means. @param body its text, as far as it could be read */
export function statusError(
  where: string,
  { status, headers }: { readonly status: number; readonly headers: IncomingHttpHeaders },
  body: string,
  now: number,
): EndpointError {
  const said = messageOf(body);
  // Servers of metered accounts say "too many requests" for an empty account too, which waiting does not fill.
  const isBroke = status === 402 || (status === 429 && /insufficient_quota|billing/i.test(body));
  return new EndpointError(`${where} answered ${status}${said === "" ? "" : `: ${said}`}`, {
    status,
    retryAfterMs: retryAfter(headers, now),
    retryable: !isBroke && (status === 408 || status === 409 || status === 429 || status >= 500),
    // Gateways give up on requests that the model behind them goes on with.
    mayBeBilled: [408, 502, 504, 524].includes(status),
    fatal: isBroke || [401, 403, 404, 405].includes(status),
    hint: isBroke ? "The account has no credit left." : hints[status],
  });
}

const hints: Readonly<Record<number, string>> = {
  401: "Check the key: the environment variable that holds it, and that it belongs to this endpoint.",
  403: "The key may not use this model.",
  404: "Check the address and the model's name; the endpoint's /v1/models lists those it has.",
  405: "Check the address: it is that of a server that speaks the OpenAI protocol, such as http://localhost:8000/v1.",
};

/** The reason inside an error body, of either shape in use, or its beginning. */
function messageOf(body: string): string {
  try {
    const { error, message, detail } = JSON.parse(body);
    const said = error?.message ?? error ?? message ?? detail;
    if (typeof said === "string") return shortened(said);
  } catch {
    // Proxies answer with HTML.
  }
  return shortened(body.replace(/<[^>]*>/g, " "));
}

/** One line, at most 300 characters. */
export function shortened(text: string): string {
  const line = text.trim().replace(/\s+/g, " ");
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}

/** Milliseconds from `retry-after-ms` or `retry-after`, which holds seconds or a date. */
function retryAfter(headers: IncomingHttpHeaders, now: number): number | undefined {
  const exact = headers["retry-after-ms"];
  if (exact !== undefined && Number.isFinite(Number(exact))) return Math.max(0, Number(exact));
  const text = headers["retry-after"];
  if (text === undefined) return undefined;
  const wait = Number.isFinite(Number(text)) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}
