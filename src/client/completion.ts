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
  .object({ prompt_tokens: count, completion_tokens: count })
  .nullish()
  .catch(undefined)
  .transform((value): Usage | undefined =>
    value
      ? {
          promptTokens: value.prompt_tokens,
          imageTokens: 0,
          completionTokens: value.completion_tokens,
        }
      : undefined,
  );
const reason = z
  .string()
  .nullish()
  .transform((value): FinishReason | undefined =>
    value ? (value === "length" ? "length" : "stop") : undefined,
  );

/** Some servers answer null or leave it out. */
const model = z.string().min(1).optional().catch(undefined);

const completionSchema = z.object({
  model,
  choices: z.array(z.object({ message: z.object({ content }), finish_reason: reason })).min(1),
  usage,
});
const chunkSchema = z.object({
  model,
  choices: z.array(z.object({ delta: z.object({ content }).nullish(), finish_reason: reason })).default([]),
  usage,
});

/** Endpoints do not say what part of the prompt are image tokens: that count stays 0. */
export const noUsage: Usage = { promptTokens: 0, imageTokens: 0, completionTokens: 0 };

export interface Completion {
  readonly text: string;
  /** Absent in a chunk that is not the last. */
  readonly reason: FinishReason | undefined;
  readonly usage: Usage | undefined;
  /** The model that the endpoint says it used. */
  readonly model: string | undefined;
}

/** The answer in the body of a response; "" is an answer. @throws EndpointError, worth a retry, for anything else */
export function readCompletion(body: string, where: string): Completion {
  const { choices, usage, model } = parse(completionSchema, body, where);
  return { text: choices[0]!.message.content, reason: choices[0]!.finish_reason ?? "stop", usage, model };
}

/** What one event of a streamed response adds. */
export function readChunk(data: string, where: string): Completion {
  const { choices, usage, model } = parse(chunkSchema, data, where);
  return { text: choices[0]?.delta?.content ?? "", reason: choices[0]?.finish_reason, usage, model };
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
