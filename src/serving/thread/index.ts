/** A model in a thread of its own: its steps hold nobody up who asks, and it is asked and answers by messages. */

export { hostModels } from "./host-models.ts";
export type { ToldTogether } from "./messages.ts";
export { ModelThread } from "./model-thread.ts";
export { ThreadModel } from "./thread-model.ts";
