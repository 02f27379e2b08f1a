import { EndpointModel, type EndpointModelOptions } from "../client/index.ts";
import { LlavaError } from "../errors.ts";
import type { ChatModel, GenerationRequest, Reply } from "../protocol/index.ts";

/** Who answers questions: an endpoint takes many requests at once, a local model a batch at a time. */
export interface Answerer {
  /** The name that answers carry. */
  readonly id: string;
  /** What decides its answers besides the name, such as a digest of its weights: another one asks everything anew. */
  readonly identity: string;
  /** Calls of `answer` under way at once. */
  readonly concurrency: number;
  /** Requests a call. */
  readonly batchSize: number;
  /** A reply to each request, in their order; an EndpointError says whether to ask again. What it throws ends the whole run. */
  answer(requests: readonly GenerationRequest[], signal: AbortSignal): Promise<readonly Reply[]>;
}

/** Asks a chat model one question a call. */
export const chatAnswerer = (model: ChatModel, concurrency: number, identity = ""): Answerer => ({
  id: model.id,
  identity,
  concurrency,
  batchSize: 1,
  answer: (requests, signal) =>
    Promise.all(requests.map((request) => replyOf(model, { ...request, signal }))),
});

/**
 * Asks an endpoint, keeping `concurrency` requests under way. As many again are prepared, so that each answer is followed
 * at once by the next request, and one that waits for another try leaves its place to others.
 */
export const endpointAnswerer = (
  options: EndpointModelOptions & { readonly concurrency: number },
): Answerer => {
  const { extraBody, concurrency } = options;
  const identity = extraBody === undefined ? "" : JSON.stringify(extraBody);
  return chatAnswerer(new EndpointModel(options), 2 * concurrency, identity);
};

async function replyOf(model: ChatModel, request: GenerationRequest): Promise<Reply> {
  let text = "";
  try {
    for await (const part of model.generate(request)) {
      if (part.type === "text-delta") text += part.text;
      else return { text, reason: part.reason, usage: part.usage, model: part.model };
    }
  } catch (error) {
    if (error instanceof LlavaError) return error;
    throw error;
  }
  throw new Error(`${model.id} ended its answer without a finish`);
}
