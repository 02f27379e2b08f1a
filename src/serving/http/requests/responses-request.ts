import { z } from "zod";
import type { ServedModel, ServedRequest } from "../../../protocol/index.ts";
import { ApiError, invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import type { MediaReader } from "../media/media-reader.ts";
import { noTools, requireNoTools, sharingOf } from "./chat-request.ts";
import { formatConstraint, jsonSchema } from "./constraint.ts";
import { message, readMessages, withOneSystem } from "./messages.ts";
import { flag, maxTokensOf, samplingFields, samplingOf, sharingFields, text, whole } from "./sampling.ts";

/** Nothing is kept between requests, so that nothing can be referred to. */
const kept = (what: string) =>
  z.undefined({ error: `${what} are not kept here: send the whole conversation as input` });

export const responsesSchema = z.object({
  model: text,
  input: z.union([z.string(), z.array(message).min(1)]),
  instructions: text,
  max_output_tokens: whole(1),
  stream: flag,
  top_logprobs: whole(0),
  include: z.array(z.string()).nullish(),
  text: z
    .object({
      format: z
        .discriminatedUnion("type", [
          z.object({ type: z.literal("text") }),
          z.object({ type: z.literal("json_object") }),
          z.object({ type: z.literal("json_schema"), schema: z.record(z.string(), z.unknown()) }),
        ])
        .nullish(),
    })
    .nullish(),
  previous_response_id: z.null().or(kept("responses")).optional(),
  conversation: z.null().or(kept("conversations")).optional(),
  prompt: z.null().or(kept("prompts")).optional(),
  background: z.literal(false, { error: "is not offered" }).nullish(),
  metadata: z.record(z.string(), z.string()).nullish(),
  ...samplingFields,
  ...sharingFields,
  ...noTools,
});

export type ResponsesFields = z.infer<typeof responsesSchema>;

/** @throws ApiError 400 */
export async function responsesRequest(
  fields: ResponsesFields,
  model: ServedModel,
  { limits, media }: { readonly limits: ServerLimits; readonly media: MediaReader },
): Promise<ServedRequest> {
  requireNoTools(fields);
  const { input, instructions, text: answer, max_output_tokens } = fields;
  const items = typeof input === "string" ? [{ role: "user" as const, content: input }] : input;
  if (items.length > limits.messages)
    throw invalidField("input", `has ${items.length} items; at most ${limits.messages} are read`);
  const messages = await readMessages(items, media, { frames: limits.frames, param: "input" });
  const format = answer?.format;
  const constraint =
    format && (format.type === "json_schema" ? jsonSchema(format.schema) : formatConstraint(format));
  if (constraint && Buffer.byteLength(JSON.stringify(constraint)) > limits.constraintBytes)
    throw invalidField("text.format", `is larger than ${limits.constraintBytes} bytes, which is the limit`);
  const sampling = {
    ...samplingOf(fields, model, limits),
    maxTokens: maxTokensOf(max_output_tokens, model, limits),
    ...(constraint && { constraint }),
    ...(wantsLogprobs(fields) && { topLogprobs: topOf(fields, limits) }),
  };
  return {
    prompt: {
      messages:
        instructions === undefined
          ? messages
          : withOneSystem([{ role: "system", content: instructions }, ...messages]),
      frames: limits.frames,
    },
    sampling,
    ...sharingOf(fields),
  };
}

export const wantsLogprobs = ({ include }: ResponsesFields): boolean =>
  include?.includes("message.output_text.logprobs") ?? false;

function topOf({ top_logprobs = 0 }: ResponsesFields, { logprobs }: ServerLimits): number {
  if (top_logprobs <= logprobs) return top_logprobs;
  throw new ApiError(400, "invalid_value", `top_logprobs: at most ${logprobs} are told of a token`, {
    param: "top_logprobs",
  });
}
