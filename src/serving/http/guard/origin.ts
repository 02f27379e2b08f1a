import type { IncomingMessage } from "node:http";
import { ApiError } from "../api-error.ts";

export interface OriginRules {
  /** Names under which the server may be asked; any where undefined. */
  readonly hosts: readonly string[] | undefined;
  /** Pages of other origins that may ask, such as "https://chat.example.org". */
  readonly origins: readonly string[];
}

export const loopbackNames = ["localhost", "127.0.0.1", "[::1]"] as const;

/**
 * Refuses what a browser sends on behalf of a stranger's page: under a stranger's name that leads to this machine (DNS
 * rebinding), or from another origin.
 * @throws ApiError 403
 */
export function requireOwnOrigin({ headers }: IncomingMessage, { hosts, origins }: OriginRules): void {
  const { host = "", origin } = headers;
  const name = host.replace(/:\d*$/, "").toLowerCase();
  if (hosts !== undefined && !hosts.includes(name))
    throw new ApiError(
      403,
      "host_not_allowed",
      "The server is not asked under this name (--allow-host names more).",
      {
        type: "permission_error",
      },
    );
  if (origin === undefined || isOwn(origin, host) || origins.includes(origin)) return;
  throw new ApiError(
    403,
    "origin_not_allowed",
    "Pages of this origin may not ask (--allow-origin names those that may).",
  );
}

const isOwn = (origin: string, host: string): boolean =>
  URL.canParse(origin) && new URL(origin).host === host.toLowerCase();

/** Answers to a page of another origin that may ask carry these. */
export function corsHeaders({ headers }: IncomingMessage, { origins }: OriginRules): Record<string, string> {
  const { origin } = headers;
  if (origin === undefined || !origins.includes(origin)) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers":
      headers["access-control-request-headers"] ?? "authorization, content-type",
    vary: "origin",
  };
}
