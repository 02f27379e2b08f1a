import type { Handler } from "../service.ts";
import { health, listModels, live, metrics, oneModel, openapi } from "./about.ts";
import { chatCompletions } from "./chat.ts";
import { completions } from "./completions.ts";
import { responses, storedResponse } from "./responses.ts";
import { applyTemplate, countTokens, detokenize, tokenize } from "./tokens.ts";

export interface Route {
  /** By which metrics and log call it. */
  readonly name: string;
  readonly method: "GET" | "POST";
  readonly handle: Handler;
  /** Whether it is answered without a key. */
  readonly isOpen?: boolean;
}

const routes: readonly Route[] = [
  { method: "POST", name: "/v1/chat/completions", handle: chatCompletions },
  { method: "POST", name: "/v1/completions", handle: completions },
  { method: "POST", name: "/v1/responses", handle: responses },
  { method: "POST", name: "/v1/chat/completions/input_tokens", handle: countTokens },
  { method: "POST", name: "/tokenize", handle: tokenize },
  { method: "POST", name: "/detokenize", handle: detokenize },
  { method: "POST", name: "/apply-template", handle: applyTemplate },
  { method: "GET", name: "/v1/models", handle: listModels },
  { method: "GET", name: "/v1/models/*", handle: oneModel },
  { method: "GET", name: "/v1/responses/*", handle: storedResponse },
  { method: "GET", name: "/metrics", handle: metrics },
  { method: "GET", name: "/openapi.json", handle: openapi },
  { method: "GET", name: "/health", handle: health, isOpen: true },
  { method: "GET", name: "/live", handle: live, isOpen: true },
];

/** The routes of a path, one for each method that it takes. llama.cpp's clients leave /v1 out. */
export function routesOf(path: string, more: readonly Route[] = []): Route[] {
  const all = [...routes, ...more];
  const found = all.filter((route) => isAt(route, path));
  return found.length > 0 ? found : all.filter((route) => isAt(route, `/v1${path}`));
}

const isAt = ({ name }: Route, path: string): boolean =>
  name.endsWith("*") ? path.startsWith(name.slice(0, -1)) && path.length >= name.length : path === name;
