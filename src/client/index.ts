export { EndpointError } from "./endpoint-error.ts";
export { EndpointModel, type EndpointModelOptions } from "./endpoint-model.ts";
