import { randomInt } from "node:crypto";
import { z } from "zod";
import type { ServedModel, ServedSampling } from "../../../protocol/index.ts";
import { invalidField } from "../api-error.ts";
import type { ServerLimits } from "../limits.ts";

const optional = <T extends z.ZodType>(schema: T) =>
  schema.nullish().transform((value) => value ?? undefined);
const number = (least: number, most: number) => optional(z.number().min(least).max(most));
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER) =>
  optional(z.int().min(least).max(most));
export const flag = optional(z.boolean());
export const text = optional(z.string());

/** How answers are drawn, by OpenAI's names and by those that vLLM and SGLang add. */
export const samplingFields = {
  temperature: number(0, 100),
  top_p: optional(z.number().gt(0).max(1)),
  top_k: whole(-1, 1_000_000),
  min_p: number(0, 1),
  /** Far below 1 what it multiplies is beyond all numbers. */
  repetition_penalty: number(0.01, 100),
  presence_penalty: number(-2, 2),
  frequency_penalty: number(-2, 2),
  seed: optional(z.int()),
  stop: optional(z.union([z.string(), z.array(z.string())])),
  stop_token_ids: optional(z.array(z.int().min(0))),
  min_tokens: whole(0),
  ignore_eos: flag,
  logit_bias: optional(
    z.record(z.string().regex(/^\d+$/, "expected ids of tokens"), z.number().min(-100).max(100)),
  ),
};

/** Who asks, and what it has to do with others' requests. */
export const sharingFields = {
  cache_salt: optional(z.string().max(256)),
  /** Lower goes first. Below 0 anyone could go before, and push out, everybody else. */
  priority: optional(z.int().min(0).max(1000)),
};

type SamplingFields = z.infer<z.ZodObject<typeof samplingFields>>;

/** A random seed where none is given: equal requests get different answers then. */
export const seedOf = (seed: number | undefined): number =>
  seed === undefined ? randomInt(2 ** 47) : Number(BigInt.asUintN(52, BigInt(seed)));

/** @throws ApiError 400 for more than the server's limits allow, and for ids that the model has none of */
export function samplingOf(
  fields: SamplingFields,
  model: Pick<ServedModel, "vocabularySize" | "contextLength">,
  limits: ServerLimits,
): ServedSampling {
  const stops = typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? []);
  const stopIds = fields.stop_token_ids ?? [];
  if (stops.length + stopIds.length > limits.stops)
    throw invalidField("stop", `has more than ${limits.stops} entries, which is the limit`);
  if (stops.includes("")) throw invalidField("stop", "has an empty text");
  for (const id of stopIds) requireId(id, "stop_token_ids", model);
  const biases = Object.entries(fields.logit_bias ?? {});
  if (biases.length > limits.biases)
    throw invalidField("logit_bias", `has more than ${limits.biases} entries, which is the limit`);
  const logitBias = new Map(biases.map(([id, bias]) => [requireId(Number(id), "logit_bias", model), bias]));
  const { min_p, top_p, top_k, repetition_penalty, presence_penalty, frequency_penalty, min_tokens } = fields;
  return {
    temperature: fields.temperature ?? 1,
    seed: seedOf(fields.seed),
    ...(top_p !== undefined && { topP: top_p }),
    ...(top_k !== undefined && top_k > 0 && { topK: top_k }),
    ...(min_p !== undefined && { minP: min_p }),
    ...(repetition_penalty !== undefined && { repetitionPenalty: repetition_penalty }),
    ...(presence_penalty !== undefined && { presencePenalty: presence_penalty }),
    ...(frequency_penalty !== undefined && { frequencyPenalty: frequency_penalty }),
    ...(min_tokens !== undefined && { minTokens: min_tokens }),
    ...(stops.length > 0 && { stop: stops }),
    ...(stopIds.length > 0 && { stopIds }),
    ...(logitBias.size > 0 && { logitBias }),
    ...(fields.ignore_eos && { ignoreEos: true }),
  };
}

/** The longest answer: what is asked for, within the server's limit, and at most what the context holds. */
export const maxTokensOf = (
  asked: number | undefined,
  { contextLength }: Pick<ServedModel, "contextLength">,
  { maxTokens = contextLength }: ServerLimits,
): number => Math.min(asked ?? contextLength, maxTokens, contextLength);

export function requireId(
  id: number,
  param: string,
  { vocabularySize }: Pick<ServedModel, "vocabularySize">,
): number {
  if (id < vocabularySize) return id;
  throw invalidField(param, `the model has no token ${id}; its ids are below ${vocabularySize}`);
}

/** @throws ApiError 400 for more answers than the server gives to one request */
export function choicesOf(n: number | undefined, { choices }: ServerLimits): number {
  if (n === undefined || n <= choices) return n ?? 1;
  throw invalidField("n", `at most ${choices} answers are given to a request`);
}
