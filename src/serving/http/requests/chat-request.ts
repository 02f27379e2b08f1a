import { z } from "zod";
import type { ServedModel, ServedRequest } from "../../../protocol/index.ts";
import { ApiError, invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import type { MediaReader } from "../media/media-reader.ts";
import { constraintFields, constraintOf } from "./constraint.ts";
import { message, readMessages } from "./messages.ts";
import {
  choicesOf,
  flag,
  maxTokensOf,
  samplingFields,
  samplingOf,
  sharingFields,
  text,
  whole,
} from "./sampling.ts";

/** Of a prompt that is a conversation. */
const conversationFields = {
  messages: z.array(message).min(1),
  add_generation_prompt: flag,
  continue_final_message: flag,
  /** vLLM's place for how many frames are read of a video. */
  media_io_kwargs: z.object({ video: z.object({ num_frames: whole(1) }).nullish() }).nullish(),
};

export const streamFields = {
  stream: flag,
  stream_options: z.object({ include_usage: flag, continuous_usage_stats: flag }).nullish(),
};

/** Known and refused: a client that sends them counts on what does not happen here. */
export const noTools = {
  tools: z.array(z.unknown()).nullish(),
  tool_choice: z.unknown().optional(),
  functions: z.array(z.unknown()).nullish(),
};

export const chatSchema = z.object({
  model: text,
  ...conversationFields,
  ...samplingFields,
  ...sharingFields,
  ...constraintFields,
  ...streamFields,
  ...noTools,
  max_tokens: whole(-1),
  max_completion_tokens: whole(-1),
  n: whole(1),
  logprobs: flag,
  top_logprobs: whole(-1),
  modalities: z.array(z.literal("text", { error: "the models answer in text" })).nullish(),
  echo: z.literal(false, { error: "is not offered" }).nullish(),
});

export type ChatFields = z.infer<typeof chatSchema>;

const conversationSchema = z.object(conversationFields);
export type ConversationFields = z.infer<typeof conversationSchema>;
export const conversationShape = conversationFields;

/** @throws ApiError 400 */
export function requireNoTools({
  tools,
  tool_choice,
  functions,
}: z.infer<z.ZodObject<typeof noTools>>): void {
  const param = (functions ?? []).length > 0 ? "functions" : "tools";
  if ((tools ?? []).length + (functions ?? []).length === 0 || tool_choice === "none") return;
  throw new ApiError(
    400,
    "unsupported_parameter",
    `${param}: the models here call no tools; tool_choice "none" lets them pass.`,
    { param },
  );
}

/** @throws ApiError 400 for what contradicts itself or is beyond the server's limits */
export async function chatRequest(
  fields: ChatFields,
  model: ServedModel,
  { limits, media }: { readonly limits: ServerLimits; readonly media: MediaReader },
): Promise<ServedRequest> {
  requireNoTools(fields);
  requireStream(fields);
  const asked = fields.max_completion_tokens ?? fields.max_tokens;
  const constraint = constraintOf(fields, limits);
  const topLogprobs = topLogprobsOf(fields, limits);
  const sampling = {
    ...samplingOf(fields, model, limits),
    maxTokens: maxTokensOf(positiveLength(asked, "max_tokens"), model, limits),
    ...(topLogprobs !== undefined && { topLogprobs }),
    ...(constraint && { constraint }),
  };
  const choices = choicesOf(fields.n, limits);
  return { prompt: await conversationOf(fields, limits, media), sampling, choices, ...sharingOf(fields) };
}

export const sharingOf = ({ cache_salt: salt, priority }: z.infer<z.ZodObject<typeof sharingFields>>) => ({
  ...(salt !== undefined && { salt }),
  ...(priority !== undefined && { priority }),
});

/** -1 is llama.cpp's word for no limit. */
export function positiveLength(asked: number | undefined, param: string): number | undefined {
  if (asked === 0) throw invalidField(param, "expected 1 or more");
  return asked === -1 ? undefined : asked;
}

export function requireStream({ stream, stream_options }: z.infer<z.ZodObject<typeof streamFields>>): void {
  if (stream_options && !stream) throw invalidField("stream_options", "is for streams: set stream");
}

/** A prompt of messages, media read. */
export async function conversationOf(
  fields: ConversationFields,
  limits: ServerLimits,
  media: MediaReader,
): Promise<Extract<ServedRequest["prompt"], { readonly messages: unknown }>> {
  const { messages, continue_final_message: continuesFinal = false, add_generation_prompt } = fields;
  if (messages.length > limits.messages)
    throw invalidField("messages", `there are ${messages.length}; at most ${limits.messages} are read`);
  const last = messages.at(-1)!;
  if (continuesFinal && add_generation_prompt)
    throw invalidField(
      "continue_final_message",
      "the last message is either gone on with or answered: not with add_generation_prompt",
    );
  if (continuesFinal && last.role !== "assistant")
    throw invalidField("continue_final_message", "the last message is not the assistant's");
  if (!continuesFinal && add_generation_prompt === false)
    throw invalidField(
      "add_generation_prompt",
      "a conversation that is neither answered nor gone on with is not offered",
    );
  const asked = fields.media_io_kwargs?.video?.num_frames;
  const mostFrames = Math.min(asked ?? limits.frames, limits.frames);
  return {
    messages: await readMessages(messages, media, { frames: mostFrames, param: "messages" }),
    ...(asked !== undefined && { frames: mostFrames }),
    mostFrames,
    ...(continuesFinal && { continuesFinal }),
  };
}

function topLogprobsOf(
  { logprobs, top_logprobs: top }: ChatFields,
  limits: ServerLimits,
): number | undefined {
  if (top !== undefined && !logprobs) throw invalidField("top_logprobs", "is told with logprobs: set it");
  if (!logprobs) return undefined;
  if ((top ?? 0) <= limits.logprobs && top !== -1) return top ?? 0;
  throw invalidField("top_logprobs", `at most ${limits.logprobs} are told of a token`);
}
