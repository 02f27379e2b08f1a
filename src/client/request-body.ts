import {
  type ContentPart,
  type GenerationRequest,
  type Message,
  type SamplingOptions,
  videoRefusal,
} from "../protocol/index.ts";
import { imageUrl } from "./data-url.ts";
import type { EndpointModelOptions } from "./endpoint-options.ts";

/** The body of a chat completion, not streamed. @throws LlavaError "image" for one that cannot be sent */
export const completionBody = async (
  { messages, sampling = {} }: GenerationRequest,
  { model, maxImageBytes, tokenLimitField = "max_tokens", extraBody }: EndpointModelOptions,
): Promise<Record<string, unknown>> => ({
  model,
  messages: await endpointMessages(messages, maxImageBytes),
  ...endpointSampling(sampling, tokenLimitField),
  ...extraBody,
});

/** Messages in the shape of the OpenAI protocol. */
const endpointMessages = (messages: readonly Message[], maxImageBytes?: number): Promise<unknown[]> =>
  Promise.all(
    messages.map(async ({ role, content }) => ({
      role,
      content:
        typeof content === "string"
          ? content
          : await Promise.all(content.map((part) => endpointPart(part, maxImageBytes))),
    })),
  );

async function endpointPart(part: ContentPart, maxImageBytes?: number) {
  if (part.type === "video") throw videoRefusal(part.video);
  if (part.type === "text") return { type: "text", text: part.text };
  const { image, detail } = part;
  return {
    type: "image_url",
    image_url: { url: await imageUrl(image, maxImageBytes), ...(detail && { detail }) },
  };
}

/** Sampling under the names of the protocol; `top_k` and those after it are what SGLang and vLLM add to it. */
function endpointSampling(
  sampling: SamplingOptions,
  tokenLimitField: "max_tokens" | "max_completion_tokens",
): Record<string, unknown> {
  const { maxTokens, temperature, topP, seed, stop, topK, minP, repetitionPenalty } = sampling;
  const fields = {
    [tokenLimitField]: maxTokens,
    temperature,
    top_p: topP,
    seed,
    stop: stop?.length ? stop : undefined,
    top_k: topK,
    min_p: minP,
    repetition_penalty: repetitionPenalty,
  };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
