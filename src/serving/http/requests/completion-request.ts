import { z } from "zod";
import type { ServedModel, ServedPrompt, ServedRequest } from "../../../protocol/index.ts";
import { ApiError, invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import type { MediaReader } from "../media/media-reader.ts";
import { positiveLength, requireStream, sharingOf, streamFields } from "./chat-request.ts";
import { constraintFields, constraintOf } from "./constraint.ts";
import { markedPrompt } from "./marked-prompt.ts";
import {
  choicesOf,
  flag,
  maxTokensOf,
  requireId,
  samplingFields,
  samplingOf,
  sharingFields,
  text,
  whole,
} from "./sampling.ts";

const ids = z.array(z.int().min(0));

/** llama.cpp's form of a text with images: base64 of each, and `<image>` where it stands. */
const textWithImages = z.object({
  prompt_string: z.string(),
  multimodal_data: z.array(z.string()).nullish(),
});

const onePrompt = z.union([z.string(), ids.min(1), textWithImages]);

export const completionSchema = z.object({
  model: text,
  prompt: z.union([z.string(), ids.min(1), textWithImages, z.array(onePrompt).min(1)]),
  ...samplingFields,
  ...sharingFields,
  ...constraintFields,
  ...streamFields,
  max_tokens: whole(-1),
  n: whole(1),
  best_of: whole(1),
  logprobs: whole(0),
  echo: flag,
  suffix: z
    .literal("", { error: "is not offered: the models go on with a text, they do not fill it" })
    .nullish(),
});

export type CompletionFields = z.infer<typeof completionSchema>;

/** As OpenAI has it where nobody says how long. */
const DEFAULT_LENGTH = 16;

/** A request for each of the prompts. @throws ApiError 400 */
export async function completionRequests(
  fields: CompletionFields,
  model: ServedModel,
  { limits, media }: { readonly limits: ServerLimits; readonly media: MediaReader },
): Promise<ServedRequest[]> {
  requireStream(fields);
  const { prompt, logprobs, echo, best_of } = fields;
  const choices = choicesOf(fields.n, limits);
  if (best_of !== undefined && best_of !== choices)
    throw new ApiError(
      400,
      "unsupported_parameter",
      "best_of: is not offered; n answers come back as they are.",
      { param: "best_of" },
    );
  if (echo && logprobs !== undefined)
    throw invalidField("echo", "log probabilities of a prompt are not told: not with logprobs");
  if (logprobs !== undefined && logprobs > limits.logprobs)
    throw invalidField("logprobs", `at most ${limits.logprobs} are told of a token`);
  const prompts = listOf(prompt);
  if (prompts.length * choices > limits.choices)
    throw invalidField(
      "prompt",
      `${prompts.length} prompts with ${choices} answers each; at most ${limits.choices} answers are given to a request`,
    );
  const constraint = constraintOf(fields, limits);
  const sampling = {
    ...samplingOf(fields, model, limits),
    maxTokens: maxTokensOf(
      positiveLength(fields.max_tokens, "max_tokens") ??
        (fields.max_tokens === -1 ? undefined : DEFAULT_LENGTH),
      model,
      limits,
    ),
    ...(logprobs !== undefined && { topLogprobs: logprobs }),
    ...(constraint && { constraint }),
  };
  const requests: ServedRequest[] = [];
  for (const [index, each] of prompts.entries()) {
    const read = await readPrompt(each, media, prompts.length > 1 ? `prompt[${index}]` : "prompt");
    if ("ids" in read) for (const id of read.ids) requireId(id, "prompt", model);
    requests.push({ prompt: read, sampling, choices, ...sharingOf(fields) });
  }
  return requests;
}

type OnePrompt = z.infer<typeof onePrompt>;
type PlainPrompt = Exclude<ServedPrompt, { readonly messages: unknown }>;

const listOf = (prompt: CompletionFields["prompt"]): readonly OnePrompt[] =>
  Array.isArray(prompt) && typeof prompt[0] !== "number" ? (prompt as OnePrompt[]) : [prompt as OnePrompt];

async function readPrompt(prompt: OnePrompt, media: MediaReader, param: string): Promise<PlainPrompt> {
  if (typeof prompt === "string") return { raw: prompt };
  if (Array.isArray(prompt)) return { ids: prompt };
  const { prompt_string: raw, multimodal_data: images } = prompt;
  if (!images || images.length === 0) return { raw };
  return await markedPrompt(raw, images, media, `${param}.multimodal_data`);
}

/** The text that stands before the answer where a request wants it back. */
export const echoed = async ({ prompt }: ServedRequest, model: ServedModel): Promise<string> =>
  "raw" in prompt ? prompt.raw : "ids" in prompt ? await model.detokenize(prompt.ids) : "";
