import { z } from "zod";
import { describeIssues } from "../files/index.ts";
import type { FinishReason, Usage } from "../protocol/index.ts";
import { EndpointError, shortened } from "./endpoint-error.ts";

const content = z
  .union([z.string(), z.array(z.looseObject({ text: z.string().optional() }))])
  .nullish()
  .transform((value) =>
    Array.isArray(value) ? value.map(({ text }) => text ?? "").join("") : (value ?? ""),
  );
const count = z.number().int().nonnegative().catch(0).default(0);
const usage = z
  .object({
    prompt_tokens: count,
    completion_tokens: count,
    prompt_tokens_details: z.object({ cached_tokens: count }).nullish().catch(undefined),
    completion_tokens_details: z.object({ reasoning_tokens: count }).nullish().catch(undefined),
  })
  .nullish()
  .catch(undefined)
  .transform((value): Usage | undefined => {
    if (!value) return undefined;
    const cached = value.prompt_tokens_details?.cached_tokens ?? 0;
    const reasoning = value.completion_tokens_details?.reasoning_tokens ?? 0;
    return {
      promptTokens: value.prompt_tokens,
      imageTokens: 0, // endpoints do not tell them
      completionTokens: value.completion_tokens,
      ...(cached > 0 && { cachedTokens: cached }),
      ...(reasoning > 0 && { reasoningTokens: reasoning }),
    };
  });

/** What is no plain end, under the names of OpenAI and of those who speak its protocol for others. */
const reasons: Readonly<Record<string, FinishReason>> = {
  length: "length",
  max_tokens: "length",
  content_filter: "filtered",
  safety: "filtered",
  refusal: "refused",
};
const reason = z
  .string()
  .nullish()
  .transform((value): FinishReason | undefined =>
    value ? (reasons[value.toLowerCase()] ?? "stop") : undefined,
  );
const refusal = z.string().nullish().catch(undefined);

/** Some servers answer null or leave it out. */
const model = z.string().min(1).optional().catch(undefined);

const completionSchema = z.object({
  model,
  choices: z.array(z.object({ message: z.object({ content, refusal }), finish_reason: reason })).min(1),
  usage,
});
const chunkSchema = z.object({
  model,
  choices: z
    .array(z.object({ delta: z.object({ content, refusal }).nullish(), finish_reason: reason }))
    .default([]),
  usage,
});

export interface Completion {
  readonly text: string;
  /** Absent in a chunk that is not the last. */
  readonly reason: FinishReason | undefined;
  /** Whether the text, or a part of it, is what the endpoint says in place of an answer. */
  readonly isRefusal: boolean;
  readonly usage: Usage | undefined;
  /** The model that the endpoint says it used. */
  readonly model: string | undefined;
}

/** The answer in the body of a response, perhaps "". @throws EndpointError, worth a retry, for anything else */
export function readCompletion(body: string, where: string): Completion {
  const { choices, usage, model } = parse(completionSchema, body, where);
  const { message, finish_reason = "stop" } = choices[0]!;
  return { ...said(message), reason: finish_reason, usage, model };
}

/** What one event of a streamed response adds. */
export function readChunk(data: string, where: string): Completion {
  const { choices, usage, model } = parse(chunkSchema, data, where);
  return { ...said(choices[0]?.delta), reason: choices[0]?.finish_reason, usage, model };
}

/** An answer's text, or that of the refusal in its place. */
function said(part: { content: string; refusal?: string | null | undefined } | null | undefined) {
  const isRefusal = Boolean(part?.refusal);
  return { text: part?.content || part?.refusal || "", isRefusal };
}

function parse<T>(schema: z.ZodType<T>, body: string, where: string): T {
  let json: unknown;
  try {
    json = JSON.parse(body);
  } catch (cause) {
    const got = body.trim() === "" ? "an empty body" : `no JSON: ${shortened(body)}`;
    throw new EndpointError(`${where} answered with ${got}`, { retryable: true, cause });
  }
  // Some servers report a failure under status 200, or in the middle of a stream.
  const failure = (json as { error?: { message?: unknown } | string } | null)?.error;
  if (failure)
    throw new EndpointError(
      `${where} failed: ${shortened(String(typeof failure === "string" ? failure : (failure.message ?? body)))}`,
      { retryable: true },
    );
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new EndpointError(`${where} answered with no completion: ${describeIssues(parsed.error)}`, {
    retryable: true,
  });
}
