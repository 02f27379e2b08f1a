import { z } from "zod";
import type { ServedModel, ServedPrompt, ServedRequest } from "../../../protocol/index.ts";
import { ApiError, invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";
import { positiveLength, requireStream, sharingOf, streamFields } from "./chat-request.ts";
import { constraintFields, constraintOf } from "./constraint.ts";
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

export const completionSchema = z.object({
  model: text,
  prompt: z.union([z.string(), ids.min(1), z.array(z.union([z.string(), ids.min(1)])).min(1)]),
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
export function completionRequests(
  fields: CompletionFields,
  model: ServedModel,
  limits: ServerLimits,
): ServedRequest[] {
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
  const prompts = promptsOf(prompt);
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
  return prompts.map((each) => {
    if ("ids" in each) for (const id of each.ids) requireId(id, "prompt", model);
    return { prompt: each, sampling, choices, ...sharingOf(fields) };
  });
}

type PlainPrompt = Exclude<ServedPrompt, { readonly messages: unknown }>;

function promptsOf(prompt: CompletionFields["prompt"]): PlainPrompt[] {
  if (typeof prompt === "string") return [{ raw: prompt }];
  if (typeof prompt[0] === "number") return [{ ids: prompt as number[] }];
  return (prompt as (string | number[])[]).map((each) =>
    typeof each === "string" ? { raw: each } : { ids: each },
  );
}

/** The text that stands before the answer where a request wants it back. */
export const echoed = ({ prompt }: ServedRequest, model: ServedModel): string =>
  "raw" in prompt ? prompt.raw : "ids" in prompt ? model.detokenize(prompt.ids) : "";
