export { BatchEndpoint, type BatchState } from "./batch-endpoint.ts";
export { EmbeddingEndpoint } from "./embeddings.ts";
export { EndpointError } from "./endpoint-error.ts";
export { EndpointModel } from "./endpoint-model.ts";
export type { EndpointModelOptions } from "./endpoint-options.ts";
export { eventData } from "./event-stream.ts";
