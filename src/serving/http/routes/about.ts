import { ApiError } from "../api-error.ts";
import type { ModelEntry } from "../model-set.ts";
import type { Handler, Service } from "../service.ts";
import { apiDescription } from "./description.ts";

/** GET /v1/models */
export const listModels: Handler = (exchange, service) => {
  const data = service.models.entries.flatMap((entry) =>
    [entry.name, ...entry.aliases].map((id) => card(id, entry, service)),
  );
  exchange.json(200, { object: "list", data });
};

/** GET /v1/models/NAME */
export const oneModel: Handler = (exchange, service) => {
  const id = decoded(exchange.url.pathname.replace(/^.*?\/models\//, ""));
  const entry = service.models.entries.find(({ name, aliases }) => name === id || aliases.includes(id));
  if (entry === undefined)
    throw new ApiError(404, "model_not_found", "There is no model of this name.", { param: "model" });
  exchange.json(200, card(id, entry, service));
};

/** A name as it was before it was put into an address; what was never put there so stays. */
function decoded(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function card(id: string, { model, created, name }: ModelEntry, { limits }: Service) {
  const modalities = model?.modalities ?? [];
  return {
    id,
    object: "model",
    created,
    owned_by: "llava",
    root: name,
    status: model === undefined ? "loading" : "ready",
    ...(model && {
      max_model_len: model.contextLength,
      vocabulary_size: model.vocabularySize,
      queue_limit: model.queueLimit,
      capabilities: ["completion", ...(modalities.some((each) => each !== "text") ? ["multimodal"] : [])],
      architecture: { input_modalities: modalities, output_modalities: ["text"] },
    }),
    limits,
  };
}

/** GET /health: whether requests are answered. */
export const health: Handler = (exchange, { models, limits }) => {
  const { entries } = models;
  const status = entries.some(({ failed }) => failed)
    ? "a model could not be loaded"
    : entries.length === 0 || entries.some(({ model }) => model === undefined)
      ? "loading"
      : models.isStuck(limits.stepSeconds)
        ? "stuck"
        : "ok";
  exchange.json(status === "ok" ? 200 : 503, { status });
};

/** GET /live: whether the process is worth keeping, also while it loads. */
export const live: Handler = (exchange, { models, limits }) => {
  const isStuck = models.isStuck(limits.stepSeconds);
  exchange.json(isStuck ? 503 : 200, { status: isStuck ? "stuck" : "ok" });
};

/** GET /metrics */
export const metrics: Handler = (exchange, service) =>
  exchange.send(200, service.metrics.text(), { "content-type": "text/plain; version=0.0.4; charset=utf-8" });

/** GET /openapi.json */
export const openapi: Handler = (exchange, { needsKey }) => exchange.json(200, apiDescription(needsKey));
