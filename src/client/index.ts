export { imageUrl, sniffImageType } from "./data-url.ts";
export { EndpointError, type EndpointFailure } from "./endpoint-error.ts";
export { EndpointModel, type EndpointModelOptions } from "./endpoint-model.ts";
