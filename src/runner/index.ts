export type { Reply } from "../protocol/index.ts";
export { AnswerStore, type Store } from "./answer-store.ts";
export { type Answerer, chatAnswerer, endpointAnswerer } from "./answerer.ts";
export { mergeStores } from "./merge-stores.ts";
export { type Question, RequestKeys } from "./request-key.ts";
export type { RetryOptions } from "./retry.ts";
export { type RunOptions, type RunProgress, type RunReport, runQuestions } from "./run-questions.ts";
export { inShard, parseShard, type Shard } from "./shard.ts";
export { readStored, type StoredAnswer, type StoredFailure } from "./stored.ts";
