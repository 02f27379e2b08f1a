/** OpenAI's API over HTTP before any served model: what requests say, who may ask, and how much. */

export { loopbackNames, requireOwnOrigin } from "./guard/origin.ts";
export { defaultLimits, type ServerLimits } from "./limits.ts";
export { type PageFiles, pageHeaders } from "./page.ts";
export { readPageFiles } from "./page-files.ts";
export { forwardTo } from "./replicas/forward.ts";
export { ReplicaSet } from "./replicas/replica-set.ts";
export { targetOf } from "./request-target.ts";
export { HttpServer, type ServerOptions } from "./server.ts";
